"""Real time, and a clock driven by hand on which a ten-minute conversation passes in milliseconds."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_SETTLE_ROUNDS = 12  # turns of the event loop that let every ready task reach its next wait


class RealClock:
    """Seconds since it was made, as the wall goes by."""

    def __init__(self) -> None:
        self._origin = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._origin

    async def sleep_until(self, t: float) -> None:
        await asyncio.sleep(max(0.0, t - self.now()))

    async def timed(self, work: Awaitable[T]) -> T:
        return await work


class ManualClock:
    """Time that stands still while work is done and jumps when everybody waits.

    `timed` holds the clock during real work and then sleeps the measured duration on it, so that a replay is never
    kinder than life: a decision that takes 0.3 s arrives 0.3 s later here too, and whatever falls due meanwhile goes first.
    """

    def __init__(self, charge: bool = True) -> None:
        self._now = 0.0
        self._charge = charge
        self._holds = 0
        self._released = asyncio.Event()
        self._order = itertools.count()
        self._waiters: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    def rewind(self) -> None:
        """Back to second 0, between two replays on the same providers. Everything on this clock must have ended."""
        assert not self._holds and all(future.done() for _, _, future in self._waiters), "somebody still waits on this clock"
        self._waiters.clear()
        self._now = 0.0

    async def sleep_until(self, t: float) -> None:
        if t <= self._now:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (t, next(self._order), future))
        await future

    async def timed(self, work: Awaitable[T]) -> T:
        start, began = self._now, time.perf_counter()
        self._holds += 1
        try:
            result = await work
        finally:
            self._holds -= 1
            self._released.set()
        if self._charge:
            await self.sleep_until(start + time.perf_counter() - began)
        return result

    async def drive(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, moving time forward whenever nothing else can move."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await self._settle()
                if not task.done():
                    await self._step()
        finally:
            task.cancel()
        return await task

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, waking every sleeper on the way in order."""
        end = self._now + seconds
        await self._settle()
        while self._holds or (self._waiters and self._waiters[0][0] <= end):
            await self._step()
            await self._settle()
        self._now = max(self._now, end)

    async def _settle(self) -> None:
        for _ in range(_SETTLE_ROUNDS):
            await asyncio.sleep(0)

    async def _step(self) -> None:
        if self._holds:
            self._released.clear()
            await self._released.wait()
        elif self._waiters:
            t, _, future = heapq.heappop(self._waiters)
            if not future.done():  # a cancelled sleeper moves no time
                self._now = max(self._now, t)
                future.set_result(None)
        else:
            await asyncio.sleep(0.001)  # somebody waits for the outside world without `timed`
