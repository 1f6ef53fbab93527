"""Many jobs, one after the other or in several processes; what belongs to one clip stays together, so that it is seen once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from itertools import groupby
from multiprocessing.util import Finalize
from pathlib import Path

from joyvl_app.errors import JoyError
from joyvl_app.evals.replay import Job, Replayer
from joyvl_app.pools import process_pool
from joyvl_app.settings import Settings

_ASK_EVERY = 50  # turns of a busy event loop
Done = Callable[[Job, str], None]  # a job that is through, and its error or ""


def run_jobs(jobs: Sequence[Job], settings: Settings, cache: Path, processes: int, done: Done) -> None:
    """Run all jobs; a job that fails is reported by `done` and the others go on. Raises JoyError when nothing can start."""
    batches = _batches(jobs)
    if processes == 1:
        station = _Station(settings, cache)
        for batch in batches:
            station.run(batch, done)
        station.close()
        return
    with process_pool(processes) as pool:
        futures = {pool.submit(_run_apart, batch, settings, cache): batch for batch in batches}
        try:
            for future in as_completed(futures):
                for job, error in zip(futures[future], _outcome(future, len(futures[future])), strict=True):
                    done(job, error)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _outcome(future: Future[list[str]], jobs: int) -> list[str]:
    try:
        return future.result()
    except BrokenProcessPool:  # killed, most likely for want of memory
        return ["the process that ran it was killed; try --jobs 1"] * jobs


def _batches(jobs: Sequence[Job]) -> list[list[Job]]:
    """One decider on one clip, the longest first, so that the last batch is a short one."""

    def name(job: Job) -> tuple[str, str]:
        return job.decider, job.case.clip

    batches = [list(batch) for _, batch in groupby(sorted(jobs, key=name), key=name)]
    return sorted(batches, key=lambda batch: -sum(job.case.seconds for job in batch))


def _run_apart(batch: list[Job], settings: Settings, cache: Path) -> list[str]:
    errors: list[str] = []
    _station(settings, cache).run(batch, lambda job, error: errors.append(error))
    return errors


@lru_cache(maxsize=1)
def _station(settings: Settings, cache: Path) -> _Station:
    """This process's own: what it has loaded serves all its batches, and is closed when it ends."""
    station = _Station(settings, cache)
    Finalize(None, station.close, exitpriority=1)
    return station


class _Station:
    """One event loop, and a replayer for each decider, loaded once: a large model takes longer to load than a case to run."""

    def __init__(self, settings: Settings, cache: Path) -> None:
        self._settings, self._cache = settings, cache
        self._runner = asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(_Unhurried()))
        self._replayers: dict[str, Replayer] = {}

    def run(self, batch: list[Job], done: Done) -> None:
        self._runner.run(self._replay_all(batch, done))

    def close(self) -> None:
        self._runner.run(self._aclose())
        self._runner.close()

    async def _replay_all(self, batch: list[Job], done: Done) -> None:
        replayer = await self._replayer(batch[0].decider)
        for job in batch:
            try:
                await replayer.replay(job)
                done(job, "")
            except JoyError as error:
                done(job, str(error))
            except Exception as error:  # a plug-in's or a decoder's fault: the other cases go on
                done(job, f"{type(error).__name__}: {error}")

    async def _replayer(self, decider: str) -> Replayer:
        if decider not in self._replayers:
            replayer = Replayer(decider, self._settings, self._cache)
            await replayer.start()
            self._replayers[decider] = replayer
        return self._replayers[decider]

    async def _aclose(self) -> None:
        for replayer in self._replayers.values():
            await replayer.aclose()


class _Unhurried(selectors.DefaultSelector):
    """Asks the system for news only when the loop would wait, or now and then: the manual clock turns the loop hundreds of times
    for a second of footage, and each question is a system call."""

    _turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._turns += 1
        if timeout == 0 and self._turns % _ASK_EVERY:
            return []
        return super().select(timeout)
