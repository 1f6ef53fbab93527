"""The API's sessions: each has a watcher, a memory and a lock of its own; the idle ones are forgotten."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from joyvl_app.build import Deciders
from joyvl_app.clock import RealClock
from joyvl_app.deciders.base import Nobody
from joyvl_app.domain import Decision, Frame, Image, Moment, Silence, Transcript
from joyvl_app.errors import Busy
from joyvl_app.memory.memories import Memories
from joyvl_app.memory.tiers import Tiers
from joyvl_app.ports import Watcher
from joyvl_app.scenario import check_instruction
from joyvl_app.settings import Settings

_WAITING = 4  # requests of one session that may wait for its lock
_UNNAMED_IDLE = 120.0  # seconds
_TWICE = 0.4  # seconds
FRAME_SECONDS = 1.0  # between pictures whose time nobody tells


class Listener(Nobody):
    """Keeps what the model wrote, action tokens and all."""

    def __init__(self) -> None:
        self.raw = ""

    def wrote(self, raw: str, parsed: bool) -> None:
        self.raw = raw


@dataclass(frozen=True)
class Told:
    """What came of one request; `raw` is the model's own text, "" when it was not asked."""

    decision: Decision
    raw: str
    asked: bool
    seconds: float


@dataclass(eq=False)
class ApiSession:
    """`query` stays in force until another replaces it; before the first one, silence is forced without asking the model."""

    id: str
    watcher: Watcher
    memory: Tiers
    settings: Settings
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    query: str = ""
    query_t: float = 0.0
    frames: int = 0
    next_t: float = 0.0
    named: bool = True  # by its client; or a fresh one that its client came back to
    used: float = field(default_factory=time.monotonic)

    async def decide(self, query: str, images: Sequence[Image], times: Sequence[float | None]) -> Told:
        """One decision on these pictures. Raises Busy when too many requests wait for this session."""
        if self.waiting > _WAITING:  # and one is being decided
            raise Busy("Too many requests of this session are waiting; send one at a time.")
        check_instruction(query)
        self.waiting += 1
        try:
            async with self.lock:
                return await self._decide(query, images, times)
        finally:
            self.waiting -= 1
            self.used = time.monotonic()

    async def _decide(self, query: str, images: Sequence[Image], times: Sequence[float | None]) -> Told:
        began = time.perf_counter()
        frames = self._frames(images, times)
        t = frames[-1].t if frames else self.next_t
        heard = () if frames or not query else (Transcript(query, t, t),)  # a question without a picture is asked all the same
        if query and query != self.query:
            self.query, self.query_t = query, t
        if not self.query and self.settings.require_instruction:
            return Told(Silence(), "", False, time.perf_counter() - began)
        listener = self.watcher.host = Listener()
        moment = Moment(
            t=t, frames=frames, instruction=self.query, instruction_t=self.query_t, context=self.memory.context(),
            chunk_id=self.memory.chunk_id, language=self.settings.language, heard=heard,
        )  # fmt: skip
        decision = await self.watcher.decide(moment)
        self.memory.observe(moment, decision)
        return Told(decision, listener.raw, True, time.perf_counter() - began)

    def _frames(self, images: Sequence[Image], times: Sequence[float | None]) -> tuple[Frame, ...]:
        """Each picture with its second. A session's first one is looked at twice: rules believe what two looks show."""
        frames: list[Frame] = []
        first = self.frames == 0
        for image, told in zip(images, times, strict=True):
            t = self.next_t if told is None else told
            frames += [Frame(t - _TWICE, image)] if first and not frames else []
            frames.append(Frame(t, image))
            self.next_t = t + FRAME_SECONDS
        self.frames += len(images)
        return tuple(frames)


class ApiSessions:
    """By id. There is no shared one: whoever names none gets a fresh one."""

    def __init__(self, deciders: Deciders, name: str, settings: Settings, memories: Memories) -> None:
        self._deciders, self._name, self._settings, self._memories = deciders, name, settings, memories
        self._open: dict[str, ApiSession] = {}

    @property
    def count(self) -> int:
        return len(self._open)

    async def get(self, session_id: str) -> ApiSession:
        """The session of this id, begun if it is new. Raises Busy at the limit, or what the decider raises."""
        await self._forget_idle()
        decider = self._deciders.get(self._name)
        await decider.start()
        key = session_id or secrets.token_urlsafe(18)
        while key not in self._open and len(self._open) >= self._settings.api_sessions:
            if not await self._make_room():
                raise Busy(f"All {self._settings.api_sessions} sessions of the API are in use. Reset one, or try again later.")
        if found := self._open.get(key):
            found.named = True
            return found
        memory = self._memories.window(RealClock())
        session = self._open[key] = ApiSession(key, decider.open(key), memory, self._settings, named=bool(session_id))
        return session

    def report(self) -> dict[str, float]:
        """The decider's queue, where it has one: depth, waits, skips."""
        report = getattr(self._deciders.get(self._name), "report", None)
        return dict(report()) if report else {}

    async def reset(self, session_id: str) -> bool:
        """Forget a session; whether there was one."""
        session = self._open.pop(session_id, None)
        if session is None:
            return False
        async with session.lock:
            await session.watcher.aclose()
            await session.memory.aclose()
        return True

    async def aclose(self) -> None:
        for session_id in list(self._open):
            await self.reset(session_id)

    async def _forget_idle(self) -> None:
        """Named ones after an hour (the setting); one that nobody named or came back to, soon."""
        now = time.monotonic()
        for session in self._at_rest():
            if now - session.used > (self._settings.session_idle if session.named else _UNNAMED_IDLE):
                await self.reset(session.id)

    async def _make_room(self) -> bool:
        """Forget the oldest session that nobody named; whether there was one."""
        unnamed = [session for session in self._at_rest() if not session.named]
        return bool(unnamed) and await self.reset(min(unnamed, key=lambda session: session.used).id)

    def _at_rest(self) -> list[ApiSession]:
        return [session for session in self._open.values() if not session.waiting]
