"""One thread for one blocking model: the event loop never waits, and calls never overlap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from joyvl_app.ports import Clock

T = TypeVar("T")


class Worker:
    """Runs blocking calls one after the other on its own thread, charging their duration to the clock."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.owed: Callable[[], float] = lambda: 0.0  # seconds that a remembered result once took, asked on the thread
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, call: Callable[[], T]) -> T:
        result, owed = await self._clock.timed(asyncio.get_running_loop().run_in_executor(self._pool, self._owing, call))
        if owed:
            await self._clock.sleep_until(self._clock.now() + owed)
        return result

    def _owing(self, call: Callable[[], T]) -> tuple[T, float]:
        return call(), self.owed()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
