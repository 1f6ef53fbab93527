"""Many sessions on one device: fairness, freshness, isolation, out of memory, admission. Scripted devices, the manual clock."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from joyvl_app.clock import ManualClock
from joyvl_app.deciders.queue import DeviceQueue, OutOfRoom
from joyvl_app.errors import BadInput, Busy, ProviderFailed
from joyvl_app.worker import Worker


@dataclass(eq=False)
class Task:
    """Takes `steps` steps; `breaks` makes the whole batch fail that it is in, `spoils` only itself."""

    name: str
    steps: int = 1
    breaks: bool = False
    spoils: bool = False
    done: bool = False
    fault: Exception | None = None
    undone: bool = False
    told: int = 0

    def progressed(self) -> None:
        self.told += 1

    def undo(self) -> None:
        self.undone = True


@dataclass
class Machine:
    """Keeps its batches; no more than `room` jobs fit at once, and `spare` sessions' memory can be given up."""

    packs: bool = True
    room: int = 100
    spare: int = 0
    blocking: float = 0.0
    batches: list[list[str]] = field(default_factory=list)

    def step(self, jobs: Sequence[Task]) -> None:
        if self.blocking:
            time.sleep(self.blocking)
        if len(jobs) > self.room:
            raise OutOfRoom
        self.batches.append([job.name for job in jobs])
        if any(job.breaks for job in jobs):
            raise RuntimeError("illegal memory access")
        for job in jobs:
            job.steps -= 1
            job.done = job.steps <= 0
            if job.spoils:
                job.fault = ValueError("a spoilt picture")

    def relieve(self, jobs: Sequence[Task]) -> bool:
        self.spare -= 1
        self.room += self.spare >= 0
        return self.spare >= 0


@pytest.fixture
def made() -> Any:
    workers: list[Worker] = []

    def make(machine: Machine, batch_max: int = 4, **changes: Any) -> DeviceQueue[Task]:
        clock = ManualClock(charge=False)
        workers.append(Worker("test", clock))
        return DeviceQueue(machine, workers[-1], clock, batch_max=batch_max, **changes)

    yield make
    for worker in workers:
        worker.close()


Make = Callable[..., DeviceQueue[Task]]


async def run_all(queue: DeviceQueue[Task], tasks: Sequence[Task]) -> list[Any]:
    waits = [queue.run(task.name, lambda task=task: task) for task in tasks]  # type: ignore[misc]
    return await asyncio.gather(*waits, return_exceptions=True)


async def test_what_waits_is_taken_in_batches_oldest_first(made: Make) -> None:
    machine = Machine()
    queue = made(machine)
    tasks = [Task(str(n)) for n in range(10)]
    assert await run_all(queue, tasks) == tasks
    assert machine.batches == [["0", "1", "2", "3"], ["4", "5", "6", "7"], ["8", "9"]]
    assert queue.report()["decided"] == 10 and queue.report()["depth"] == 0


async def test_a_long_sentence_holds_nobody_up(made: Make) -> None:
    machine = Machine(blocking=0.01)
    queue = made(machine, batch_max=2)
    talking = asyncio.create_task(queue.run("talker", lambda: Task("talker", steps=30)))
    await asyncio.sleep(0.02)
    silent = await asyncio.gather(*(queue.run(f"s{n}", lambda n=n: Task(f"s{n}")) for n in range(5)))  # type: ignore[misc]
    assert all(task and task.done for task in silent)
    finished = await talking
    assert finished and finished.done and finished.told == 29
    where = [number for number, batch in enumerate(machine.batches) if batch[-1].startswith("s")]
    assert len(where) == 5 and max(where) - min(where) < 8, "each joined the next step, beside the sentence"


async def test_several_sentences_take_turns_and_leave_a_place(made: Make) -> None:
    machine = Machine()
    queue = made(machine, batch_max=3)
    talkers = [Task(f"t{n}", steps=12) for n in range(6)]
    await run_all(queue, [*talkers, Task("silent")])
    shares = Counter(name for batch in machine.batches for name in batch)
    assert all(shares[f"t{n}"] == 12 for n in range(6)) and shares["silent"] == 1
    assert all(len(batch) <= 3 for batch in machine.batches)


async def test_the_latest_request_of_a_session_wins_and_keeps_its_place(made: Make) -> None:
    machine = Machine(blocking=0.05)
    queue = made(machine, batch_max=1)
    running = [asyncio.create_task(queue.run("busy", lambda: Task("busy")))]
    await asyncio.sleep(0.01)
    older = asyncio.create_task(queue.run("a", lambda: Task("a old")))
    other = asyncio.create_task(queue.run("b", lambda: Task("b")))
    await asyncio.sleep(0.01)
    newer = asyncio.create_task(queue.run("a", lambda: Task("a new")))
    await asyncio.gather(*running, older, other, newer)
    assert older.result() is None and newer.result().name == "a new"  # type: ignore[union-attr]
    assert machine.batches == [["busy"], ["a new"], ["b"]]


async def test_a_job_is_made_from_the_moment_when_its_turn_has_come(made: Make) -> None:
    machine, newest = Machine(blocking=0.05), ["frame 1"]
    queue = made(machine, batch_max=1)
    first = asyncio.create_task(queue.run("a", lambda: Task("busy")))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(queue.run("b", lambda: Task(newest[-1])))
    newest.append("frame 2")
    await asyncio.gather(first, second)
    assert machine.batches[-1] == ["frame 2"]


async def test_a_crash_fails_its_own_request_alone(made: Make) -> None:
    machine = Machine()
    tasks = [Task("a"), Task("b", breaks=True), Task("c"), Task("d", spoils=True)]
    results = await run_all(made(machine), tasks)
    assert results[0] is tasks[0] and results[2] is tasks[2]
    assert isinstance(results[1], ProviderFailed) and "illegal memory access" in str(results[1])
    assert isinstance(results[3], ProviderFailed) and "a spoilt picture" in str(results[3])
    assert [task.undone for task in tasks] == [False, True, False, True]


async def test_a_job_that_cannot_be_made_fails_alone(made: Make) -> None:
    queue = made(Machine())

    def broken() -> Task:
        raise BadInput("this picture is none")

    good, bad = await asyncio.gather(
        queue.run("a", lambda: Task("a")), queue.run("b", broken), return_exceptions=True
    )  # fmt: skip
    assert isinstance(good, Task) and isinstance(bad, BadInput)


async def test_out_of_memory_halves_the_batch(made: Make) -> None:
    machine = Machine(room=2)
    queue = made(machine, batch_max=8)
    tasks = [Task(str(n)) for n in range(8)]
    assert await run_all(queue, tasks) == tasks
    assert max(map(len, machine.batches)) == 2 and queue.report()["batch_max"] == 2
    for n in range(250):
        await queue.run("a", lambda n=n: Task(str(n)))  # type: ignore[misc]
    assert queue.report()["batch_max"] == 3, "it grows again, carefully"


async def test_out_of_memory_takes_idle_caches_and_then_says_so(made: Make) -> None:
    machine = Machine(room=0, spare=1)
    assert (await run_all(made(machine), [Task("a")]))[0].done
    (told,) = await run_all(made(Machine(room=0)), [Task("a")])
    assert isinstance(told, ProviderFailed) and "memory is full" in str(told)


async def test_a_cancelled_request_is_undone_and_the_others_go_on(made: Make) -> None:
    queue, task = made(Machine(blocking=0.05)), Task("a", steps=50)
    waiting = asyncio.create_task(queue.run("a", lambda: task))
    await asyncio.sleep(0.08)
    waiting.cancel()
    other = await queue.run("b", lambda: Task("b"))
    await asyncio.sleep(0.12)
    assert other and other.done and task.undone and task.steps > 40
    assert queue.report()["depth"] == 0 and not queue._going


async def test_past_the_measured_capacity_a_newcomer_is_told(made: Make) -> None:
    queue = made(Machine(), load_max=0.5)
    queue.admit("first")
    queue._busy.append((queue._clock.now(), 6.0))  # six of the last ten seconds
    with pytest.raises(Busy, match="fully used by 1 sessions"):
        queue.admit("second")
    queue.leave("first")
    queue.admit("second")


async def test_waits_are_counted_in_lost_seconds() -> None:
    clock = ManualClock()  # charged with the device's real time
    worker = Worker("test", clock)
    queue: DeviceQueue[Task] = DeviceQueue(Machine(blocking=0.6), worker, clock, batch_max=1)
    await clock.drive(run_all(queue, [Task(str(n)) for n in range(3)]))
    assert queue.skipped == 1 and 1.1 < queue.report()["wait_p95_s"] + 0.6 < 2.5
    assert queue.load > 0.15
    await queue.aclose()
    worker.close()


async def test_with_one_place_waiting_and_writing_take_turns(made: Make) -> None:
    machine = Machine(blocking=0.005)
    queue = made(machine, batch_max=1)
    talking = asyncio.create_task(queue.run("talker", lambda: Task("talker", steps=40)))
    await asyncio.sleep(0.02)
    began = len(machine.batches)
    await queue.run("silent", lambda: Task("silent"))
    assert len(machine.batches) - began <= 4
    assert (await talking) is not None


async def test_who_gave_up_is_undone_before_the_session_begins_again(made: Make) -> None:
    queue, order = made(Machine(blocking=0.01), batch_max=2), list[str]()
    old = Task("old", steps=100)
    old.undo = lambda: order.append("undone")  # type: ignore[method-assign]
    waiting = [asyncio.create_task(queue.run(name, lambda name=name: Task(name, steps=100))) for name in ("x", "y")]  # type: ignore[misc]
    mine = asyncio.create_task(queue.run("me", lambda: old))
    await asyncio.sleep(0.1)
    mine.cancel()
    await asyncio.gather(mine, return_exceptions=True)

    def again() -> Task:
        order.append("made")
        return Task("new")

    await queue.run("me", again)
    assert order[:2] == ["undone", "made"]
    for task in waiting:
        task.cancel()
    await queue.aclose()


async def test_a_job_that_cannot_be_told_or_undone_takes_nobody_with_it(made: Make) -> None:
    class Broken(Task):
        def progressed(self) -> None:
            raise ValueError("the page is gone")

        def undo(self) -> None:
            raise ValueError("no way back")

    queue = made(Machine())
    async with asyncio.timeout(2):
        told, fine = await run_all(queue, [Broken("a", steps=3), Task("b", steps=3)])
        stuck, _ = await run_all(queue, [Broken("c", spoils=True), Task("d")])
    assert isinstance(told, ProviderFailed) and isinstance(stuck, ProviderFailed) and fine.done


async def test_closing_leaves_nobody_waiting(made: Make) -> None:
    queue = made(Machine(blocking=0.05))
    waiting = asyncio.create_task(queue.run("a", lambda: Task("a", steps=100)))
    await asyncio.sleep(0.1)
    await queue.aclose()
    async with asyncio.timeout(2):
        with pytest.raises(ProviderFailed, match="being closed"):
            await waiting
