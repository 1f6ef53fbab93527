"""Bounded hand-overs."""

from __future__ import annotations

import asyncio

import numpy as np

from joyvl_app.domain import AudioChunk, Frame
from joyvl_app.mailbox import AudioQueue, Latest, Looks
from tests.support import GREY


async def test_the_latest_value_wins_and_drops_are_counted() -> None:
    box: Latest[int] = Latest()
    for number in (1, 2, 3):
        box.put(number)
    assert (await box.get(), box.dropped, box.take()) == (3, 2, None)
    waiting = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    box.put(4)
    assert await waiting == 4


def _take(rate: int, per_second: int) -> list[float]:
    looks = Looks(per_second)
    for number in range(rate):
        looks.put(Frame(number / rate, GREY))
    return [round(look.t, 3) for look in looks.take()]


def test_looks_are_spread_over_the_second_and_end_with_now() -> None:
    assert _take(25, 2) == [0.48, 0.96]
    assert _take(25, 3) == [0.32, 0.64, 0.96]
    assert _take(25, 1) == [0.96]
    assert _take(1, 2) == [0.0]


def test_looks_stay_evenly_spaced_from_second_to_second() -> None:
    """At any rate: the first look of a second must not be the twin of the last one before."""
    for rate in (4, 6, 8, 12, 16, 25, 30):
        looks, seen = Looks(2), []
        for number in range(1, 10 * rate + 1):
            looks.put(Frame(number / rate, GREY))
            if number % rate == 0:
                seen += [look.t for look in looks.take()]
        gaps = np.diff(seen)
        assert len(seen) == 20 and gaps.min() > 0.3 and gaps.max() < 0.7, rate


def test_taken_looks_are_not_given_twice() -> None:
    looks = Looks(2)
    looks.put(Frame(0.0, GREY))
    assert len(looks.take()) == 1
    assert looks.take() == ()
    assert looks.newest is not None


async def test_audio_is_bounded_in_seconds() -> None:
    audio = AudioQueue(max_seconds=1.0)
    for number in range(6):
        audio.put(AudioChunk(number / 2, 1_000, np.zeros(500, np.int16)))
    assert audio.seconds == 1.0
    assert audio.dropped_seconds == 2.0
    assert [(await audio.get()).t for _ in range(2)] == [2.0, 2.5]
