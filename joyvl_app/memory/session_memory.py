"""What one session remembers, and what a brain may look up in it: the tiers, the key frames, the archive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pydantic import BaseModel

from joyvl_app.domain import Decision, Frame, Moment, Passage, Silence, Summary
from joyvl_app.events import Chunk, Event
from joyvl_app.memory.archive import NEAR, Record
from joyvl_app.memory.gallery import Gallery, KeyFrame, decode
from joyvl_app.memory.tiers import Tiers
from joyvl_app.memory.window import Window
from joyvl_app.ports import Clock, Summarizer
from joyvl_app.store.values import Hit


class SessionMemory:
    """A memory for a session, and the read-only tools of its brain. Without a `record` nothing outlives it."""

    def __init__(self, clock: Clock, window: Window, gallery: Gallery | None = None, record: Record | None = None) -> None:
        self._clock, self._window, self._gallery, self._record = clock, window, gallery, record
        self._newest: Frame | None = None
        self.tell: Callable[[str], None] = lambda text: None
        self.emit: Callable[[Event], None] = lambda event: None
        self._tiers = window if isinstance(window, Tiers) else None  # a bare window has no past to summarise
        if self._tiers:
            self._tiers.pictures = self._pictures
            self._tiers.fault = lambda text: self.tell(text)
            self._tiers.written = self._summary

    # --- for the session -------------------------------------------------------------------------------------------

    @property
    def chunk_id(self) -> int:
        return self._window.chunk_id

    def context(self) -> str:
        return self._window.context()

    def observe(self, moment: Moment, decision: Decision) -> None:
        """Take in one decided second; tells the chunk that ended with it, if one did."""
        before, began = self._window.chunk_id, self._window.began
        self._window.observe(moment, decision)
        if moment.frames:
            self._newest = moment.frames[-1]
            if self._gallery:
                self._gallery.see(self._newest, happening=not isinstance(decision, Silence))
        if self._window.chunk_id != before:
            self.emit(Chunk(t=moment.t, id=before, t_start=began or 0.0, t_end=moment.t + 1))

    def _summary(self, summary: Summary) -> None:
        now, since, until = self._clock.now(), summary.t_start, summary.t_end
        self.emit(Chunk(t=now, id=self.chunk_id, t_start=since, t_end=until, summary=summary.text))

    def summarize_with(self, own: Summarizer | None) -> None:
        """The deciding model may write its own summaries."""
        if self._tiers:
            self._tiers.summarize_with(own)

    def take(self, number: int, event: object) -> None:
        """Line `number` of the session's log."""
        if self._record and isinstance(event, BaseModel):
            self._record.take(number, event)  # type: ignore[arg-type]

    def take_fault(self) -> str:
        return self._record.take_fault() if self._record else ""

    async def aclose(self) -> None:
        if self._tiers:
            await self._tiers.aclose()

    # --- for a brain -----------------------------------------------------------------------------------------------

    async def search(
        self, words: str, since: float | None = None, until: float | None = None, most: int = 20, any_term: bool = True
    ) -> list[Passage]:
        """The owner's passages closest to the words, between two session seconds (negative before this one)."""
        if self._record is None:
            return []
        await self._record.archive.settle()
        session = self._record.session
        hits = await self._record.archive.search(
            session.owner, words, any_term=any_term, most=most,
            since=None if since is None else session.began + since, until=None if until is None else session.began + until,
        )  # fmt: skip
        return [self._passage(hit) for hit in hits]

    async def between(
        self, since: float, until: float, most: int = 40, kinds: tuple[str, ...] = (), oldest: bool = False
    ) -> list[Passage]:
        """What happened in a stretch of this session, in order: the last of it, or with `oldest` the first."""
        if self._record is None:
            return []
        await self._record.archive.settle()
        session = self._record.session
        found = await self._record.archive.between(session.owner, session.id, since, until, most, kinds, oldest)
        return [self._passage(hit) for hit in found]

    async def frame_near(self, t: float) -> Frame | None:
        """The key frame nearest to second `t`, from memory or from the archive; None when there is none that near."""
        kept = self._gallery.near(t) if self._gallery else None
        if self._record and (kept is None or abs(kept.t - t) > 2.0):
            stored = await self._record.archive.frame(self._record.session.owner, self._record.session.id, t)
            kept = min((frame for frame in (kept, stored) if frame), key=lambda frame: abs(frame.t - t), default=None)
        newest = self._newest
        if newest and abs(newest.t - t) <= min(NEAR, abs(kept.t - t) if kept else NEAR):
            return newest
        if kept and abs(kept.t - t) > NEAR:
            return None
        return Frame(kept.t, await self._clock.timed(asyncio.to_thread(decode, kept.jpeg))) if kept else None

    def _passage(self, hit: Hit) -> Passage:
        assert self._record is not None
        here = hit.session_id == self._record.session.id
        return Passage(hit.kind, hit.t_start, hit.t_end, hit.began + hit.t_start, hit.text, here, hit.words)

    async def _pictures(self, since: float, until: float, most: int) -> tuple[Frame, ...]:
        kept = self._gallery.between(since, until, most) if self._gallery else []
        return await asyncio.to_thread(lambda: tuple(Frame(frame.t, decode(frame.jpeg)) for frame in kept))


def keeper(record: Record | None, wanted: Callable[[], bool]) -> Callable[[KeyFrame], None]:
    """What to do with a key frame: into the archive, while the user wants pictures kept."""
    return lambda frame: record.keep(frame) if record and wanted() else None
