"""When the next decision is due: once a period, never overlapping, seconds that cannot be kept are skipped and counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from joyvl_app.ports import Clock

T = TypeVar("T")


class Grid:
    """Whole periods from `start` on. A decision ahead of its time (a sentence was heard) does not move the grid."""

    def __init__(self, start: float, period: float) -> None:
        self.due, self._period = start, period

    def advance(self, now: float) -> int:
        """Move to the first time still worth keeping after a decision that ended at `now`; returns the periods skipped."""
        if self.due - now <= 0:
            self.due += self._period
        skipped = max(0, int((now - self.due) // self._period))
        self.due += skipped * self._period
        return skipped


async def sleep_or_wake(clock: Clock, due: float, events: Iterable[asyncio.Event]) -> None:
    """Sleep until `due`, or less when an event is set; the events are cleared."""
    events = tuple(events)
    await first_of(clock.sleep_until(due), *(event.wait() for event in events))
    for event in events:
        event.clear()


async def first_of(*waits: Awaitable[object]) -> None:
    """Wait until one of them is there; those that are no tasks of the caller's are given up."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, wait in zip(tasks, waits, strict=True):
            if task is not wait:
                task.cancel()


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when it takes longer. Raises TimeoutError then."""
    working = asyncio.ensure_future(work)
    limit = asyncio.ensure_future(clock.sleep_until(clock.now() + seconds))
    try:
        await asyncio.wait((working, limit), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise TimeoutError
        return working.result()
    finally:
        working.cancel()
        limit.cancel()
