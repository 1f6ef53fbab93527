"""The archive: every event, every findable passage and (where the user wants them) key frames, kept beyond the session."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from joyvl_app.domain import Box
from joyvl_app.errors import BadInput, ProviderFailed
from joyvl_app.events import Answered, Chunk, Decided, Event, Footer, Heard, Instruction, Spoken
from joyvl_app.memory.chronicle import Chronicle, Entry
from joyvl_app.memory.gallery import KeyFrame
from joyvl_app.ports import Clock
from joyvl_app.store import repository
from joyvl_app.store.database import reason
from joyvl_app.store.values import Ended, Hit, NewEvent, NewFrame, NewPassage, NewSession, Query, Watched
from joyvl_app.store.words import indexed, loose, terms
from joyvl_app.store.writer import Writer
from joyvl_app.worker import Worker

R = TypeVar("R")
_SETTLE = 1.5  # seconds at most that a search waits for what was just put
_WRITE = 20.0  # seconds that a deletion may take
NEAR = 15.0  # seconds between a moment and the picture that may stand for it
_AROUND = 45.0  # seconds before and after a moment that are shown with it
_MOST = 100


class Archive:
    """Opens the database at once (raises BadInput or MissingPart); reads run on a thread of their own."""

    def __init__(self, clock: Clock, url: str, most_mb: int, days: float) -> None:
        self._writer = Writer(url, most_mb << 20, days)
        self._clock = clock
        self._reader = Worker("archive", clock)

    @property
    def fault(self) -> str:
        """What is wrong with it now, for people; "" when nothing is."""
        return self._writer.fault

    def begin(
        self, name: str, owner: str, scenario: str, source: str, decider: str, began: float,
        language: str = "en",
    ) -> Record:  # fmt: skip
        """A new session's record; `began` is the wall time of its second 0. Another of the same name stays apart from it."""
        session = NewSession(secrets.randbits(62), name, owner, scenario, source, decider, began)
        self._writer.put(session)
        return Record(self, self._writer, session, language)

    async def search(
        self, owner: str, words: str, *, any_term: bool = False, session_id: int | None = None, scenario: str = "",
        since: float | None = None, until: float | None = None, most: int = 50,
    ) -> list[Hit]:  # fmt: skip
        """An owner's passages with all the words, the newest first; if there are none, or with `any_term`, the closest ones."""
        asked = Query(
            owner, tuple(terms(words)), False, session_id, scenario, since=since, until=until, most=min(most, _MOST)
        )  # fmt: skip
        if words.strip() and not asked.terms:
            return []  # only signs that no index holds
        found = [] if any_term else await self._read(lambda c: repository.search(c, asked))
        if found or not asked.terms:
            return found
        wider = replace(asked, terms=tuple(loose(words)), any_term=True)
        return await self._read(lambda c: repository.search(c, wider))

    async def between(
        self, owner: str, session_id: int, since: float, until: float, most: int = _MOST, kinds: tuple[str, ...] = (),
        oldest: bool = False,
    ) -> list[Hit]:  # fmt: skip
        """A stretch of a session in order of time: its last `most` passages, or with `oldest` the first."""
        return await self._read(
            lambda c: repository.passages_between(c, owner, session_id, since, until, most, kinds, oldest)
        )  # fmt: skip

    async def around(self, owner: str, session_id: int, t: float) -> list[Hit]:
        """What happened shortly before and after second `t` of a session."""
        return await self.between(owner, session_id, t - _AROUND, t + _AROUND)

    async def sessions(self, owner: str) -> list[Watched]:
        return await self._read(lambda c: repository.sessions(c, owner))

    async def events(self, owner: str, session_id: int) -> list[str]:
        """A session's log, line by line. Raises BadInput when this owner has none such."""
        lines = await self._read(lambda c: repository.events(c, owner, session_id))
        if not lines:
            raise BadInput("There is no such session in your memory.")
        return lines

    async def frame(self, owner: str, session_id: int, t: float) -> KeyFrame | None:
        """The picture nearest to second `t`, if one was kept."""
        found = await self._read(lambda c: repository.frame_near(c, owner, session_id, t, NEAR))
        return KeyFrame(*found) if found else None

    async def forget_session(self, owner: str, session_id: int) -> str:
        """Delete a session and return its name; if it still runs, it is not recorded any more. Raises BadInput when it is not
        this owner's, ProviderFailed while nothing can be deleted.
        """
        name = await self._write(lambda c: repository.name_of(c, owner, session_id))
        if name is None:
            raise BadInput("There is no such session in your memory.")
        self._writer.forget(session_id)
        await self._write(lambda c: repository.forget_session(c, owner, session_id))
        return name

    async def forget_owner(self, owner: str) -> list[str]:
        """Delete all sessions of an owner, running ones too; returns their names. Raises ProviderFailed."""
        await self._write(lambda c: None)  # what is known of them so far
        self._writer.forget(*self._writer.running_of(owner))
        return [name for _, name in await self._write(lambda c: repository.forget_owner(c, owner))]

    async def settle(self) -> None:
        """Until all that was put is written, or a moment has passed: a faulty disk must not hold up a search."""
        done = asyncio.wrap_future(self._writer.settled())
        await self._clock.timed(asyncio.wait((done,), timeout=_SETTLE))
        if not done.done():
            done.cancel()
        elif not done.cancelled():
            done.exception()  # a search shows what there is

    async def aclose(self) -> None:
        await asyncio.to_thread(self._writer.close)
        self._reader.close()

    async def _read(self, work: Callable[[Connection], R]) -> R:
        def read() -> R:
            with self._writer.engine.connect() as connection:
                return work(connection)

        try:
            return await self._reader.run(read)
        except OverflowError as error:
            raise BadInput("There is no such session in your memory.") from error
        except DBAPIError as error:
            raise ProviderFailed(f"The archive cannot be read now: {reason(error)}.") from error

    async def _write(self, work: Callable[[Connection], R]) -> R:
        try:
            return await self._clock.timed(asyncio.wait_for(asyncio.wrap_future(self._writer.call(work)), _WRITE))
        except TimeoutError as error:
            raise ProviderFailed("The archive does not answer; nothing was deleted.") from error


class Record:
    """One session in the archive: takes its events in as they are logged."""

    def __init__(self, archive: Archive, writer: Writer, session: NewSession, language: str) -> None:
        self.archive, self.session = archive, session
        self._writer = writer
        self._chronicle = Chronicle(language == "zh")
        self._told = ""

    def take(self, number: int, event: Event) -> None:
        """Line `number` of the log. Quick, and never raises for want of a disk."""
        began = self.session.began
        self._writer.put(NewEvent(self.session.id, number, event.t, began + event.t, event.type, event.model_dump_json()))
        for entry in self._entries(event):
            self._put(entry)
        if isinstance(event, Footer):
            for entry in self._chronicle.close():
                self._put(entry)
            self._writer.put(Ended(self.session.id, began + event.t))

    def keep(self, frame: KeyFrame) -> None:
        self._writer.put(NewFrame(self.session.id, frame.t, self.session.began + frame.t, frame.jpeg))

    def take_fault(self) -> str:
        """What is wrong with the archive, told when it changes; that it is well again, too."""
        fault = self.archive.fault
        if fault == self._told:
            return ""
        before, self._told = self._told, fault
        return fault or (f"The archive is written again. {self._lost()}".strip() if "tried again" in before else "")

    def _lost(self) -> str:
        return f"{self._writer.lost} entries had to be given up." if self._writer.lost else "Nothing was lost."

    def _entries(self, event: Event) -> list[Entry]:
        note = self._chronicle.note
        if isinstance(event, Decided):
            boxes = [Box(box.label, box.score, *box.xyxy, box.track) for box in event.evidence.boxes]
            return self._chronicle.look(event.t, boxes, event.evidence.texts)
        if isinstance(event, Heard):
            return note("heard", event.t_start, event.t_end, event.text)
        if isinstance(event, Spoken):
            return note("said", event.t_start, event.t_end, event.text.removesuffix(event.unsaid) if event.cut else event.text)
        if isinstance(event, Instruction):
            return note("told", event.t, event.t, event.text)
        if isinstance(event, Answered) and event.state == "ready":
            return note("found", event.t, event.t, event.digest or event.card)
        if isinstance(event, Chunk) and event.summary:
            return note("summary", event.t_start, event.t_end, event.summary)
        return []

    def _put(self, entry: Entry) -> None:
        session = self.session
        self._writer.put(
            NewPassage(
                session.id, entry.number, session.owner, session.scenario, entry.kind, entry.t_start, entry.t_end,
                session.began + entry.t_start, entry.text, indexed(f"{entry.text} {entry.more}"),
            )
        )  # fmt: skip
