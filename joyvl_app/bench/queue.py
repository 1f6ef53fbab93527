"""`bench queue`: many real sessions at one decision a second over one scripted device, within and past its capacity."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from joyvl_app.bench import Result
from joyvl_app.brain.canned import CannedBrain
from joyvl_app.clock import RealClock
from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.deciders.queue import DeviceQueue
from joyvl_app.domain import Decision, Frame, Moment, Silence
from joyvl_app.errors import Busy
from joyvl_app.event_log import EventLog
from joyvl_app.events import Decided, TickLate
from joyvl_app.memory.session_memory import SessionMemory
from joyvl_app.memory.window import Window
from joyvl_app.parts import Controls, Parts
from joyvl_app.session import Session
from joyvl_app.settings import Settings
from joyvl_app.worker import Worker

_BATCH = 8
_FAST, _SLOW = 0.030, 0.160  # seconds a batch: 266 and 50 decisions a second
_SECONDS = 15.0
_SETTLING = 3.0  # seconds left out of the figures
_FPS = 15.0  # pictures a second, as a browser sends them


@dataclass(eq=False)
class Asked:
    """A second that the scripted device decides in one step."""

    done: bool = False
    fault: Exception | None = None

    def progressed(self) -> None:
        return None

    def undo(self) -> None:
        return None


class ScriptedDevice:
    """Takes the same time for any batch."""

    packs = True

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def step(self, jobs: Sequence[Asked]) -> None:
        time.sleep(self._seconds)
        for job in jobs:
            job.done = True

    def relieve(self, jobs: Sequence[Asked]) -> bool:
        return False


class QueuedDecider:
    """Every session's watcher asks the one queue."""

    name = "queued"

    def __init__(self, queue: DeviceQueue[Asked]) -> None:
        self.queue = queue

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        await self.queue.aclose()

    def open(self, session_id: str) -> QueuedWatcher:
        return QueuedWatcher(session_id, self.queue)


class QueuedWatcher(PlainWatcher):
    def __init__(self, session_id: str, queue: DeviceQueue[Asked]) -> None:
        super().__init__()
        self._id, self._queue = session_id, queue

    async def decide(self, moment: Moment) -> Decision:
        def make() -> Asked:
            self.host.renew(moment)
            return Asked()

        await self._queue.run(self._id, make)
        return Silence(0.02)


def measure() -> Result:
    targets = {
        "age_p95_ms": ("<=", 300.0),
        "least_share": (">=", 0.9),
        "overload_evenness": (">=", 0.7),
        "overload_skipped": (">=", 1.0),
        "overload_told": (">=", 1.0),
        "newcomer_refused": (">=", 1.0),
    }
    result = Result(targets=targets)
    result.figures |= asyncio.run(_run(50, _FAST, ""))
    result.figures |= asyncio.run(_run(100, _FAST, "doubled_"))
    result.figures |= asyncio.run(_run(100, _SLOW, "overload_"))
    return result


async def _run(count: int, seconds: float, prefix: str) -> dict[str, float]:
    """`count` sessions for some seconds; ages, how even the decisions fell, what was skipped and told."""
    clock = RealClock()
    worker = Worker("device", clock)
    decider = QueuedDecider(DeviceQueue(ScriptedDevice(seconds), worker, clock, batch_max=_BATCH))
    for number in range(count):
        decider.queue.admit(str(number))
    sessions = [_session(number, decider, clock) for number in range(count)]
    running = [asyncio.create_task(session.run()) for session in sessions]
    await _feed(sessions, clock)
    refused = _is_refused(decider.queue)
    for session in sessions:
        session.stop()
    await asyncio.gather(*running)
    report = decider.queue.report()
    await decider.aclose()
    worker.close()
    print(f"{count} sessions, {seconds * 1000:.0f} ms a batch:", report)
    return {f"{prefix}{name}": value for name, value in _figures(sessions).items()} | (
        {"newcomer_refused": float(refused), "overload_load": report["load"]} if prefix == "overload_" else {}
    )


def _session(number: int, decider: QueuedDecider, clock: RealClock) -> Session:
    settings = Settings.model_validate({})
    parts = Parts(decider, SessionMemory(clock, Window(settings.chunk_seconds, settings.qa_pairs)), CannedBrain())
    return Session(str(number), parts, Controls("watch"), clock, EventLog(), settings)


async def _feed(sessions: Sequence[Session], clock: RealClock) -> None:
    """A new picture for everybody, again and again; the sessions' seconds begin at different moments, as people's do."""
    picture = np.zeros((48, 64, 3), np.uint8)
    end = clock.now() + _SECONDS
    step = 0
    while clock.now() < end:
        now = clock.now()
        arrived = sessions if step >= _FPS else sessions[: int(len(sessions) * step / _FPS) + 1]
        for session in arrived:
            session.see(Frame(now, picture))
        step += 1
        await clock.sleep_until(now + 1 / _FPS)


def _is_refused(queue: DeviceQueue[Asked]) -> bool:
    try:
        queue.admit("one more")
    except Busy:
        return True
    return False


def _figures(sessions: Sequence[Session]) -> dict[str, float]:
    decided = [[event for event in session.log.events() if isinstance(event, Decided)] for session in sessions]
    late = [sum(isinstance(event, TickLate) for event in session.log.events()) for session in sessions]
    ages = [event.age_ms for events in decided for event in events if _SETTLING < event.t < _SECONDS]
    shares = [sum(event.t > _SETTLING for event in events) / (_SECONDS - _SETTLING) for events in decided]
    return {
        "age_p95_ms": float(np.percentile(ages, 95)),
        "least_share": min(shares),
        "evenness": min(shares) / max(shares),
        "skipped": float(sum(event.skipped for events in decided for event in events)),
        "told": float(min(late)),
    }
