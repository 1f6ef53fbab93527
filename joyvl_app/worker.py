"""One thread for one blocking model: the event loop never waits, and calls never overlap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from joyvl_app.errors import ProviderFailed
from joyvl_app.ports import Clock
from joyvl_app.ticks import within

T = TypeVar("T")
R = TypeVar("R")


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


class Model(Generic[T]):
    """A blocking model, loaded once however many ask for it, and used by one at a time. A call that hangs is given up with its
    thread, so that the next one is not stuck behind it.
    """

    def __init__(self, name: str, clock: Clock, load: Callable[[], T]) -> None:
        self._name, self._clock, self._load = name, clock, load
        self._worker = Worker(name, clock)
        self._loading, self._turn = asyncio.Lock(), asyncio.Lock()
        self._model: T | None = None

    @property
    def ready(self) -> bool:
        return self._model is not None

    async def start(self) -> None:
        """Load it. Raises whatever loading raises; the next call tries again."""
        async with self._loading:
            if self._model is None:
                self._model = await self._worker.run(self._load)

    async def run(self, use: Callable[[T], R], seconds: float) -> R:
        """`use` the model, loading it first if need be. Raises ProviderFailed when this call, once it is its turn, takes longer
        than `seconds`.
        """
        await self.start()
        model = self._model
        assert model is not None
        async with self._turn:
            try:
                return await within(self._clock, seconds, self._worker.run(lambda: use(model)))
            except TimeoutError as error:
                self._worker.close()
                self._worker = Worker(self._name, self._clock)
                raise ProviderFailed(f"{self._name} did not answer within {seconds:.0f} seconds.") from error

    def close(self) -> None:
        self._worker.close()
