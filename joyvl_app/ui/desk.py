"""The sessions of all pages: who owns which, how many there may be, and when one has been left alone for too long."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from joyvl_app.build import Providers, chosen_brain, offered_deciders
from joyvl_app.choice import choose
from joyvl_app.clock import RealClock
from joyvl_app.errors import BadInput, Busy, JoyError, ProviderFailed
from joyvl_app.event_log import EventLog
from joyvl_app.events import Header
from joyvl_app.memory.archive import Archive
from joyvl_app.memory.memories import Visit
from joyvl_app.parts import Controls
from joyvl_app.ports import Synthesizer
from joyvl_app.scenario import Scenario
from joyvl_app.session import Session
from joyvl_app.settings import Settings

_UNWATCHED = 60.0  # seconds without an open page until a session is closed
_ROUND = 5.0  # seconds between the janitor's rounds
_ROUNDS_AN_HOUR = int(3_600 / _ROUND)
_FINISHED = 200  # logs of ended sessions that can still be downloaded


@dataclass
class Seat:
    """One page's session: its owner, its task, and how many event streams of the page are open."""

    owner: str
    session: Session
    epoch: float  # wall time at session second 0
    task: asyncio.Task[None] | None = None
    streams: int = 0
    left_at: float = field(default_factory=time.monotonic)


class Desk:
    """Opens, finds and closes seats. Everything is filtered by owner: another page's id is as good as none."""

    def __init__(self, settings: Settings, providers: Providers, scenarios: dict[str, Scenario]) -> None:
        self.settings, self.scenarios = settings, scenarios
        self._providers = providers
        self.choice, self.offered, self.voices = choose(settings), offered_deciders(settings), providers.voices.offered
        self._seats: dict[str, Seat] = {}
        self._finished: OrderedDict[str, tuple[str, Path]] = OrderedDict()
        self._janitor: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        _forget_old_logs(self.settings)
        self._janitor = asyncio.create_task(self._rounds())
        self._warming = asyncio.create_task(self._warm_up())

    async def _warm_up(self) -> None:
        """Load the decider before the first visitor presses Start; its faults are told to the session that needs it."""
        with suppress(JoyError):
            await self._providers.decider.start()
        await self._providers.voices.warm_up()
        for name in self.offered:  # importing a model's libraries halts everything for seconds: before anybody watches
            with suppress(JoyError):
                await asyncio.to_thread(self._providers.deciders.get, name)

    async def aclose(self) -> None:
        for task in (self._janitor, self._warming):
            if task:
                task.cancel()
        for seat in list(self._seats.values()):
            seat.session.stop()
        tasks = [seat.task for seat in self._seats.values() if seat.task]
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        await self._providers.aclose()

    def open(self, owner: str, scenario: Scenario, controls: Controls, source: str, decider: str = "", voice: str = "") -> Seat:
        """A new session, running, with the chosen decider and voice or others that are offered. Raises Busy, BadInput."""
        decider = self._offered(decider or self.choice.name)
        if len(self._seats) >= self.settings.max_sessions:
            raise Busy(f"All {self.settings.max_sessions} places are taken. Please try again in a few minutes.")
        session_id = secrets.token_urlsafe(18)
        clock = RealClock()
        log = self._open_log(session_id)
        header = Header(
            source=source,
            decider=decider,
            scenario=scenario.id,
            settings=self.settings.public(),
        )
        log.append(header)
        visit = Visit(session_id, owner, scenario.id, source, decider, controls.language)
        parts = self._providers.parts(self.settings, controls, visit, self._voices(voice), clock)
        session = Session(session_id, parts, controls, clock, log, self.settings)
        seat = Seat(owner, session, time.time() - clock.now())
        seat.task = asyncio.create_task(self._run(seat))
        self._seats[session_id] = seat
        return seat

    @property
    def archive(self) -> Archive | None:
        """What outlives the sessions; None where the settings want none."""
        return self._providers.memories.archive

    @property
    def brain(self) -> str:
        """The name of the brain that answers hard questions."""
        return chosen_brain(self.settings)

    async def forget(self, owner: str, session_id: int | None = None) -> int:
        """Delete what is kept of one of an owner's sessions, or of all of them, logs included; a running one goes on, but nothing
        more is kept of it. Returns how many there were. Raises BadInput when a session is not this owner's.
        """
        if self.archive is None or not owner:
            return 0
        if session_id is None:
            names = await self.archive.forget_owner(owner)
            names += [seat.session.id for seat in self._seats.values() if seat.owner == owner]
            names += [name for name, (whose, _) in self._finished.items() if whose == owner]
            names = list(dict.fromkeys(names))
        else:
            names = [await self.archive.forget_session(owner, session_id)]
        await asyncio.to_thread(self._forget_logs, names)
        return len(names)

    def _forget_logs(self, names: list[str]) -> None:
        for name in names:
            self._finished.pop(name, None)
            if seat := self._seats.get(name):
                seat.session.log.forget()
            else:
                (self.settings.data_dir / "logs" / f"{name}.jsonl").unlink(missing_ok=True)

    def switch(self, seat: Seat, decider: str) -> None:
        """Let another decider go on with a session. Raises BadInput when it is not offered."""
        name = self._offered(decider)
        seat.session.switch(name, lambda: self._providers.deciders.gated(name))

    @property
    def hears(self) -> dict[str, object]:
        """What recognises speech here, for the page: its name and languages; no name where nothing does."""
        transcriber, _ = self._providers.voices.ears()
        return {"name": transcriber.name if transcriber else "", "languages": transcriber.languages if transcriber else ()}

    def speak_with(self, seat: Seat, voice: str) -> None:
        """Another voice for a session, from its next sentence on. Raises BadInput when it is not offered."""
        seat.session.voice.speak_with(self._voices(voice))

    def _voices(self, name: str) -> tuple[Synthesizer, ...]:
        if name and name not in self.voices:
            raise BadInput(f"The voice '{name}' is not offered here. Choose from: {', '.join(self.voices)}.")
        return self._providers.voices.chain(name)

    def _offered(self, name: str) -> str:
        if name not in self.offered:
            raise BadInput(f"The decider '{name}' is not offered here. Choose from: {', '.join(self.offered)}.")
        return name

    def seat(self, owner: str, session_id: str) -> Seat:
        """Raises BadInput when there is none of this owner's."""
        seat = self._seats.get(session_id)
        if seat is None or seat.owner != owner:
            raise BadInput("This session has ended. Press Start to begin a new one.")
        return seat

    def log_path(self, owner: str, session_id: str) -> Path:
        """The log of a running or ended session of this owner. Raises BadInput when there is none."""
        seat = self._seats.get(session_id)
        found = (seat.owner, seat.session.log.path) if seat else self._finished.get(session_id, ("", None))
        if found[0] != owner or found[1] is None or not found[1].is_file():
            raise BadInput("There is no log of this session any more.")
        return found[1]

    def _open_log(self, session_id: str) -> EventLog:
        path = self.settings.data_dir / "logs" / f"{session_id}.jsonl"
        try:
            return EventLog(path, self.settings.log_max_mb << 20)
        except OSError as error:
            raise ProviderFailed(f"The event log cannot be written to {path.parent}: {error.strerror}.") from error

    async def _run(self, seat: Seat) -> None:
        session = seat.session
        try:
            await session.run()
        finally:
            self._seats.pop(session.id, None)
            if session.log.path:
                self._finished[session.id] = (seat.owner, session.log.path)
                while len(self._finished) > _FINISHED:
                    self._finished.popitem(last=False)

    async def _rounds(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(_ROUND)
            if number % _ROUNDS_AN_HOUR == 0:
                await asyncio.to_thread(_forget_old_logs, self.settings)
            for seat in list(self._seats.values()):
                if self._is_abandoned(seat):
                    seat.session.stop()

    def _is_abandoned(self, seat: Seat) -> bool:
        now = seat.session.clock.now()
        without_picture = now - seat.session.newest_frame_t
        unwatched = seat.streams == 0 and time.monotonic() - seat.left_at > _UNWATCHED
        return unwatched or without_picture > self.settings.session_idle or now > self.settings.session_hours * 3_600


def _forget_old_logs(settings: Settings) -> None:
    oldest = time.time() - settings.log_days * 86_400
    for path in (settings.data_dir / "logs").glob("*.jsonl"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
