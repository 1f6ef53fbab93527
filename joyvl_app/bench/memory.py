"""`bench memory`: eight simulated hours with 2,000 spoken turns; what memory costs a second, and whether anything grows."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil

from joyvl_app.bench import Result
from joyvl_app.brain.canned import CannedBrain
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.domain import Box, Decision, Evidence, Frame, Image, Moment, Respond, Silence
from joyvl_app.event_log import EventLog
from joyvl_app.memory.archive import Archive
from joyvl_app.memory.digest import DigestSummarizer
from joyvl_app.memory.gallery import Gallery
from joyvl_app.memory.memories import Memories
from joyvl_app.memory.session_memory import SessionMemory
from joyvl_app.memory.tokens import estimate
from joyvl_app.parts import Controls, Parts
from joyvl_app.session import Session
from joyvl_app.settings import Settings
from joyvl_app.store.values import NewEvent, NewPassage
from joyvl_app.store.words import indexed

T = TypeVar("T")
_HOURS, _TURNS = 8, 2_000
_SECONDS = _HOURS * 3_600
_QUOTA_MB = 48
_EVENTS, _SEARCHES = 100_000, 200
_LABELS = ("person", "cup", "dog", "car", "book", "laptop", "chair")
_FIRST, _LAST = ("sur", "lin", "mar", "tol", "ver", "cas", "don", "pel"), ("real", "den", "ket", "mon", "sto", "ry")
_WORDS = [f"{first}{last}" for first in _FIRST for last in _LAST]
_TARGETS = {
    "context_tokens_max": ("<=", 6_000.0), "context_growth_tokens": ("<=", 300.0), "tick_p95_ms": ("<=", 5.0),
    "rss_mb_per_hour": ("<=", 1.0), "search_p95_ms": ("<=", 50.0), "disk_share": ("<=", 1.0), "turns": (">=", float(_TURNS)),
}  # fmt: skip


def measure() -> Result:
    """Everything on real parts: the session's loop, the tiers, the archive in SQLite, key frames; only pictures are made up."""
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(_long_session(Path(folder))) | asyncio.run(_searches(Path(folder)))
    return Result(figures, _TARGETS)


class _Timed(SessionMemory):
    """Counts what memory costs within a second of the loop."""

    spent = 0.0

    def context(self) -> str:
        return self._timed(super().context)

    def observe(self, moment: Moment, decision: Decision) -> None:
        self._timed(lambda: SessionMemory.observe(self, moment, decision))

    def take(self, number: int, event: object) -> None:
        self._timed(lambda: SessionMemory.take(self, number, event))

    def _timed(self, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        try:
            return work()
        finally:
            self.spent += time.perf_counter() - began


class _Scene(PlainWatcher):
    """People and things that come and go, slides that change, and a sentence every now and then."""

    def __init__(self, each: Callable[[Moment], None]) -> None:
        super().__init__()
        self._chance, self._each, self._said = random.Random(1), each, 0
        self._boxes: tuple[Box, ...] = ()
        self._texts: tuple[str, ...] = ()

    async def decide(self, moment: Moment) -> Decision:
        self._each(moment)
        second = int(moment.t)
        if second % 7 == 0:
            self._boxes = tuple(self._box() for _ in range(self._chance.randrange(8)))
        if second % 25 == 0:
            self._texts = tuple(" ".join(self._chance.sample(_WORDS, 4)) for _ in range(self._chance.randrange(6)))
        evidence = Evidence(self._boxes, self._texts)
        if moment.t * _TURNS / _SECONDS >= self._said:
            self._said += 1
            return Respond(f"Turn {self._said}: {' '.join(self._chance.sample(_WORDS, 8))}.", 0.9, evidence)
        return Silence(0.1, evidence)

    def _box(self) -> Box:
        x, y = self._chance.uniform(0, 0.8), self._chance.uniform(0, 0.8)
        return Box(self._chance.choice(_LABELS), self._chance.uniform(0.5, 1), x, y, x + 0.2, y + 0.2)


class _Decider:
    name = "bench"

    def __init__(self, each: Callable[[Moment], None]) -> None:
        self._each = each

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    def open(self, session_id: str) -> _Scene:
        return _Scene(self._each)


async def _long_session(folder: Path) -> dict[str, float]:
    clock = ManualClock(charge=False)
    settings = Settings.model_validate({"archive_mb": _QUOTA_MB})
    archive = Archive(clock, f"sqlite:///{folder / 'long.db'}", _QUOTA_MB, 30)
    memories = Memories(settings, DigestSummarizer(clock), archive)
    record = archive.begin("long", "ann", "lecture", "bench", "bench", time.time())
    pool = ThreadPoolExecutor(max_workers=1)
    memory = _Timed(clock, memories.window(clock), Gallery(pool, settings.key_frames, record.keep), record)
    ticks, tokens, resident = list[float](), dict[int, int](), dict[int, float]()

    def each(moment: Moment) -> None:
        ticks.append(memory.spent)
        memory.spent = 0.0
        tokens[moment.chunk_id] = estimate(moment.context)
        if int(moment.t) % 3_600 == 0:
            resident[int(moment.t) // 3_600] = psutil.Process().memory_info().rss / 1e6

    log, began = EventLog(), time.perf_counter()
    parts = Parts(_Decider(each), memory, CannedBrain())
    session = Session("long", parts, Controls("watch"), clock, log, settings)
    await clock.drive(_live(session, clock))
    await archive.settle()
    (held,) = await archive.sessions("ann")
    await memories.aclose()
    pool.shutdown()
    disk_mb = await asyncio.to_thread(lambda: sum(path.stat().st_size for path in folder.glob("long.db*")) / 2**20)
    print(f"{_HOURS} hours in {time.perf_counter() - began:.0f} s; left: {held.passages} passages, {held.frames} pictures")
    sizes = list(tokens.values())
    hour = len(sizes) // _HOURS
    settled = range(2, _HOURS)  # hours; before them pools and caches fill
    return {
        "context_tokens_max": float(max(sizes)),
        "context_growth_tokens": float(np.mean(sizes[-hour:]) - np.mean(sizes[3 * hour : 4 * hour])),
        "tick_p95_ms": float(np.percentile(ticks, 95)) * 1000,
        "tick_max_ms": max(ticks) * 1000,
        "rss_mb_per_hour": float(np.polyfit(settled, [resident[hour] for hour in settled], 1)[0]),
        "rss_mb": max(resident.values()),
        "disk_mb": disk_mb,
        "disk_share": disk_mb / _QUOTA_MB,
        "turns": float(log.counts["spoken"]),
    }


async def _live(session: Session, clock: ManualClock) -> None:
    rng = np.random.default_rng(1)
    pictures: list[Image] = [rng.integers(0, 255, (45, 80, 3), np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(16)]
    async with asyncio.TaskGroup() as group:
        running = group.create_task(session.run())
        await session.ready.wait()
        while clock.now() < _SECONDS:
            session.see(Frame(clock.now(), pictures[int(clock.now() // 6) % len(pictures)]))
            await clock.sleep_until(clock.now() + 1.0)
            if int(clock.now()) % 60 == 0:
                await asyncio.sleep(0.004)  # the writer's share of the processor, which it has in life
        session.stop()
        await running


async def _searches(folder: Path) -> dict[str, float]:
    """Searches of an owner who has 100,000 events, with common and rare words, all of them and any of them."""
    clock = ManualClock(charge=False)
    archive = Archive(clock, f"sqlite:///{folder / 'search.db'}", 4_096, 365)
    session = archive.begin("many", "ann", "lecture", "bench", "bench", time.time() - _EVENTS).session
    chance = random.Random(2)
    for item in _made_up(session.id, session.began, chance):
        archive._writer.put(item)
        if isinstance(item, NewEvent) and item.number % 20_000 == 0:
            await asyncio.wrap_future(archive._writer.call(lambda connection: None))
    await asyncio.wrap_future(archive._writer.call(lambda connection: None))
    took = []
    for number in range(_SEARCHES):
        words = " ".join(chance.sample([*_WORDS, "slide", "person", "红色"], 1 + number % 4))
        began = time.perf_counter()
        await clock.drive(archive.search("ann", words, any_term=number % 2 == 0))
        took.append(time.perf_counter() - began)
    await archive.aclose()
    return {"search_p95_ms": float(np.percentile(took, 95)) * 1000, "search_p50_ms": float(np.percentile(took, 50)) * 1000}


def _made_up(session_id: int, began: float, chance: random.Random) -> Iterator[NewEvent | NewPassage]:
    for number in range(_EVENTS):
        extra = "a person 红色的盒子" if number % 3 == 0 else "slide"
        text = f"{' '.join(chance.sample(_WORDS, 6))} {extra}"
        at = began + number
        yield NewEvent(session_id, number, float(number), at, "decision", '{"action": "silence", "text": "' + text + '"}')
        yield NewPassage(session_id, number, "ann", "lecture", "screen", float(number), number + 1.0, at, text, indexed(text))
