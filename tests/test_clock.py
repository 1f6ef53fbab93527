"""Injected time."""

from __future__ import annotations

import asyncio
import time

from joyvl_app.clock import ManualClock, RealClock
from joyvl_app.worker import Worker


async def test_sleepers_wake_in_order_and_no_real_time_passes() -> None:
    clock, woken = ManualClock(), []

    async def sleeper(t: float) -> None:
        await clock.sleep_until(t)
        woken.append((t, clock.now()))

    async def all_of_them() -> None:
        await asyncio.gather(*(sleeper(t) for t in (600.0, 30.0, 1.5)))

    began = time.perf_counter()
    await clock.drive(all_of_them())
    assert woken == [(1.5, 1.5), (30.0, 30.0), (600.0, 600.0)]
    assert time.perf_counter() - began < 1


async def test_work_is_charged_and_what_falls_due_meanwhile_goes_first() -> None:
    clock, order = ManualClock(), []
    worker = Worker("test", clock)

    async def work() -> None:
        await worker.run(lambda: time.sleep(0.2))
        order.append(("work", clock.now()))

    async def other() -> None:
        await clock.sleep_until(0.1)
        order.append(("other", clock.now()))

    async def both() -> None:
        await asyncio.gather(work(), other())

    await clock.drive(both())
    worker.close()
    assert [name for name, _ in order] == ["other", "work"]
    assert order[0][1] == 0.1
    assert 0.2 <= order[1][1] < 0.5


async def test_a_cancelled_sleeper_moves_no_time() -> None:
    clock = ManualClock()

    async def scenario() -> float:
        task = asyncio.ensure_future(clock.sleep_until(100))
        await asyncio.sleep(0)
        task.cancel()
        await clock.sleep_until(1)
        return clock.now()

    assert await clock.drive(scenario()) == 1


async def test_advance_stops_where_it_is_told() -> None:
    clock, ticks = ManualClock(), []

    async def ticking() -> None:
        while True:
            await clock.sleep_until(clock.now() + 1)
            ticks.append(clock.now())

    task = asyncio.create_task(ticking())
    await clock.advance(3.5)
    task.cancel()
    assert ticks == [1, 2, 3]
    assert clock.now() == 3.5


async def test_the_real_clock_keeps_real_time() -> None:
    clock = RealClock()
    await clock.sleep_until(0.05)
    assert 0.04 < clock.now() < 1
    assert await clock.timed(asyncio.sleep(0, "done")) == "done"
