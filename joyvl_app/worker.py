"""One thread for one blocking model: the event loop never waits, and calls never overlap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

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
    """A blocking model, loaded once however many ask for it, and used by one at a time: a caller that is cancelled leaves its
    call to its end. A call that hangs is given up with its thread, so that the next one is not stuck behind it.
    """

    def __init__(self, name: str, clock: Clock, load: Callable[[], T]) -> None:
        self._name, self._clock, self._load = name, clock, load
        self._worker = Worker(name, clock)
        self._turn = asyncio.Lock()
        self._loading: asyncio.Task[T] | None = None
        self._calls: set[asyncio.Task[object]] = set()
        self._model: T | None = None

    @property
    def ready(self) -> bool:
        return self._model is not None

    async def start(self) -> None:
        """Load it. Raises whatever loading raises; the next call tries again."""
        if self._model is None:
            if self._loading is None or self._loading.done():
                self._loading = self._kept(self._worker.run(self._load))
            self._model = await asyncio.shield(self._loading)

    async def run(self, use: Callable[[T], R], seconds: float) -> R:
        """`use` the model, loading it first if need be. Raises ProviderFailed when this call, once it is its turn, takes longer
        than `seconds`.
        """
        await self.start()
        model = self._model
        assert model is not None
        wanted = asyncio.Event()
        wanted.set()
        try:
            return await asyncio.shield(self._kept(self._use(lambda: use(model), seconds, wanted)))
        except asyncio.CancelledError:
            wanted.clear()
            raise

    async def _use(self, call: Callable[[], R], seconds: float, wanted: asyncio.Event) -> R:
        async with self._turn:
            if not wanted.is_set():
                raise asyncio.CancelledError
            try:
                return await within(self._clock, seconds, self._worker.run(call))
            except TimeoutError as error:
                self._worker.close()
                self._worker = Worker(self._name, self._clock)
                raise ProviderFailed(f"{self._name} did not answer within {seconds:.0f} seconds.") from error

    def _kept(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """A task that outlives whoever waits for it, and whose fault is theirs alone."""
        task = asyncio.ensure_future(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    def close(self) -> None:
        self._worker.close()
