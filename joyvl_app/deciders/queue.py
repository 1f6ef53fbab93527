"""Many sessions, one device: what waits is taken in small batches, oldest first, and nobody's fault is another's.

A request is a job of one or more steps (a silent second is one, a spoken one a step a token). New seconds join the running ones
at the next step, so a sentence that is being written holds nobody up. A job is made only when its turn has come, from the moment
as it is then: the latest moment wins.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from joyvl_app.errors import Busy, JoyError, ProviderFailed
from joyvl_app.ports import Clock
from joyvl_app.worker import Worker

_WINDOW = 10.0  # seconds over which the load is measured
_WAITS = 100  # waits kept for the report
_LONG_WAIT = 1.0  # seconds: whoever waits longer loses seconds
_GROW_AFTER = 200  # steps without a fault until a halved batch may grow again


class OutOfRoom(Exception):
    """The device's memory did not suffice for this step; nothing of it was kept."""


class Job(Protocol):
    """One session's second. `step`s of the device move it on; `fault` is its own failure."""

    done: bool
    fault: Exception | None

    def progressed(self) -> None:
        """After a step that did not finish it, on the event loop."""
        ...

    def undo(self) -> None:
        """As if it had never begun."""
        ...


J = TypeVar("J", bound=Job)
J_contra = TypeVar("J_contra", bound=Job, contravariant=True)


class Device(Protocol[J_contra]):
    """What works on batches. `step` blocks, on the queue's worker; it raises OutOfRoom when the batch is too much.

    `packs`: a full batch takes about as long as a single job.
    """

    @property
    def packs(self) -> bool: ...

    def step(self, jobs: Sequence[J_contra]) -> None: ...

    def relieve(self, jobs: Sequence[J_contra]) -> bool:
        """Give up memory that none of `jobs` needs now; whether there was any."""
        ...


@dataclass(eq=False)
class _Request(Generic[J]):
    session: str
    make: Callable[[], J]
    since: float
    future: asyncio.Future[J | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    job: J | None = None
    begun: bool = False


class DeviceQueue(Generic[J]):
    """Bounded by its sessions: each has at most one request here. `load` is the share of time that the device works."""

    def __init__(self, device: Device[J], worker: Worker, clock: Clock, *, batch_max: int, load_max: float = 0.9) -> None:
        self._device, self._worker, self._clock = device, worker, clock
        self._batch_max = self._batch_now = batch_max
        self._load_max = load_max
        self._waiting: dict[str, _Request[J]] = {}
        self._going: deque[_Request[J]] = deque()
        self._batch: list[_Request[J]] = []
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._busy: deque[tuple[float, float]] = deque()
        self._sessions: set[str] = set()
        self._waits: deque[float] = deque(maxlen=_WAITS)
        self._since_fault = 0
        self._went_on = False
        self.skipped = self.steps = self.decided = 0

    # --- who may come ----------------------------------------------------------------------------------------------

    def admit(self, session: str) -> None:
        """Take a session in. Raises Busy past the measured capacity."""
        late = self.report()["wait_p95_s"] > _LONG_WAIT
        if self._sessions and (self.load >= self._load_max or late):
            raise Busy(
                f"The device is fully used by {len(self._sessions)} sessions. Please try again in a few minutes, "
                "or choose the embedded decider, which needs no place here."
            )
        self._sessions.add(session)

    def leave(self, session: str) -> None:
        self._sessions.discard(session)

    @property
    def load(self) -> float:
        """The share of the device in use over the last seconds, 0 to 1: its time at work, by how full its batches were."""
        now = self._clock.now()
        while self._busy and self._busy[0][0] < now - _WINDOW:
            self._busy.popleft()
        return min(1.0, sum(seconds for _, seconds in self._busy) / _WINDOW)

    def report(self) -> dict[str, float]:
        """Depth, waits in seconds, seconds lost to waiting, and what the device did."""
        waits = sorted(self._waits)
        return {
            "sessions": len(self._sessions),
            "depth": len(self._waiting),
            "load": round(self.load, 3),
            "wait_p95_s": round(waits[int(0.95 * (len(waits) - 1))], 3) if waits else 0.0,
            "skipped": self.skipped,
            "decided": self.decided,
            "steps": self.steps,
            "batch_max": self._batch_now,
        }

    # --- one request -----------------------------------------------------------------------------------------------

    async def run(self, session: str, make: Callable[[], J]) -> J | None:
        """Wait for the device, then for the job that `make` makes there; None when a later request of the session came first.

        Raises what `make` raises, ProviderFailed when the job failed.
        """
        request = _Request(session, make, self._clock.now())
        if overtaken := self._waiting.get(session):
            request.since = overtaken.since  # it keeps its place in the line
            _resolve(overtaken, None)
        self._waiting[session] = request
        self._something.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve())
        try:
            return await request.future
        finally:
            if self._waiting.get(session) is request:
                del self._waiting[session]

    async def aclose(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- the device's side -----------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Until it is closed. Should it ever break, nobody waits for ever: every open request is told."""
        error: Exception | None = None
        try:
            while True:
                while not (self._waiting or self._going):
                    self._something.clear()
                    await self._something.wait()
                self._batch = self._pick()
                await self._work(self._batch)
                self._sort_out(self._batch)
        except Exception as fault:
            error = fault
        finally:
            for request in (*self._batch, *self._going, *self._waiting.values()):
                with suppress(Exception):
                    if request.job and not request.job.done:
                        request.job.undo()
                _resolve(request, None, error or ProviderFailed("The model is being closed."))
            self._batch = []
            self._going.clear()
            self._waiting.clear()

    def _pick(self) -> list[_Request[J]]:
        """Those under way, in turn, and the oldest waiting; a place is kept for one that waits (with one place: every other)."""
        self._clear_away()
        seats = self._batch_now
        if self._waiting and (seats > 1 or self._went_on):
            seats -= 1
        batch = [self._going.popleft() for _ in range(min(seats, len(self._going)))]
        while self._waiting and len(batch) < self._batch_now:
            request = self._waiting.pop(next(iter(self._waiting)))
            if self._begin(request):
                batch.append(request)
        self._went_on = bool(batch and batch[0].job and batch[0].begun)
        for request in batch:
            request.begun = True
        return batch

    def _clear_away(self) -> None:
        """Whoever gave up while its job was under way is undone before its session may begin another."""
        for request in [request for request in self._going if request.future.cancelled()]:
            self._going.remove(request)
            if request.job:
                request.job.undo()

    def _begin(self, request: _Request[J]) -> bool:
        waited = self._clock.now() - request.since
        self._waits.append(waited)
        self.skipped += int(waited)
        try:
            request.job = request.make()
        except Exception as error:
            _resolve(request, None, error)
        return request.job is not None

    async def _work(self, batch: Sequence[_Request[J]]) -> None:
        """One step of every job in the batch, in smaller parts where the device cannot take them together."""
        jobs = [request.job for request in batch if request.job]
        if not jobs:
            return
        began = self._clock.now()
        try:
            await self._worker.run(lambda: self._device.step(jobs))
            self._note(began, len(jobs))
        except OutOfRoom:
            await self._with_less(batch, jobs)
        except Exception as error:
            if len(batch) == 1:
                jobs[0].fault = error
                return
            for request in batch:
                await self._work([request])

    async def _with_less(self, batch: Sequence[_Request[J]], jobs: Sequence[J]) -> None:
        self._since_fault = 0
        if len(batch) > 1:
            half = self._batch_now = len(batch) // 2
            await self._work(batch[:half])
            await self._work(batch[half:])
        elif await self._relieved(jobs):
            await self._work(batch)
        else:
            jobs[0].fault = ProviderFailed("The device's memory is full. Close a session, or set a smaller JOYVL_CHUNK_SECONDS.")

    async def _relieved(self, jobs: Sequence[J]) -> bool:
        try:
            return await self._worker.run(lambda: self._device.relieve(self._in_use(jobs)))
        except Exception:  # a device in trouble has no room to give
            return False

    def _in_use(self, jobs: Sequence[J]) -> list[J]:
        """All that may not lose their memory now: this step's, the rest of its batch's, and the sentences under way."""
        return [*jobs, *(request.job for request in (*self._batch, *self._going) if request.job)]

    def _note(self, began: float, jobs: int) -> None:
        now = self._clock.now()
        used = min(1.0, jobs / self._batch_now) if self._device.packs else 1.0
        self._busy.append((now, (now - began) * used))
        self.steps += 1
        self._since_fault += 1
        if self._batch_now < self._batch_max and self._since_fault >= _GROW_AFTER:
            self._batch_now, self._since_fault = self._batch_now + 1, 0

    def _sort_out(self, batch: Sequence[_Request[J]]) -> None:
        for request in batch:
            try:
                if request.job:
                    self._settle(request, request.job)
            except Exception as error:  # a job that cannot even be undone or told takes nobody with it
                _resolve(request, None, error)

    def _settle(self, request: _Request[J], job: J) -> None:
        if request.future.cancelled() or job.fault:
            job.undo()
            _resolve(request, None, job.fault)
        elif job.done:
            self.decided += 1
            _resolve(request, job)
        else:
            self._going.append(request)
            job.progressed()


def _resolve(request: _Request[J], job: J | None, error: Exception | None = None) -> None:
    if request.future.done():
        return
    if error is None:
        request.future.set_result(job)
    else:
        told = error if isinstance(error, JoyError) else ProviderFailed(f"The model failed on this second: {error}")
        request.future.set_exception(told)
