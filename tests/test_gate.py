"""The static-scene gate: what it lets through and what it does not, on made and on real pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from joyvl_app.clock import ManualClock
from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.deciders.gate import STILL, GateWatcher
from joyvl_app.domain import Answer, Decision, Frame, Image, Moment, Respond, Silence, Transcript
from joyvl_app.errors import ProviderFailed
from joyvl_app.worker import Worker

QUIET_FOR = 5  # seconds after the first in which the gate may still be open


class Inner(PlainWatcher):
    """Keeps the times it was asked at."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        self.heard: list[tuple[Transcript, ...]] = []
        self.answer: Decision = Silence(0.02)
        self.fails = False

    async def decide(self, moment: Moment) -> Decision:
        self.times.append(moment.t)
        self.heard.append(moment.heard)
        if self.fails:
            raise ProviderFailed("no")
        return self.answer


@pytest.fixture
def gate() -> GateWatcher:
    return GateWatcher(Inner(), 15.0, Worker("gate", ManualClock(charge=False)))


def inner(gate: GateWatcher) -> Inner:
    assert isinstance(gate._inner, Inner)
    return gate._inner


def scene(noise: float = 0.0, seed: int = 0) -> Iterator[Image]:
    """A still room as a camera sees it: the same every time but for sensor noise."""
    rng = np.random.default_rng(seed)
    room = cv2.GaussianBlur(np.random.default_rng(7).integers(0, 255, (480, 640, 3)).astype(np.float32), (0, 0), 12)
    while True:
        yield np.clip(room + rng.normal(0, noise, room.shape), 0, 255).astype(np.uint8)


async def watch(gate: GateWatcher, pictures: Iterator[Image], seconds: range, **changes: Any) -> None:
    for t in seconds:
        frames = (Frame(t - 0.5, next(pictures)), Frame(float(t), next(pictures)))
        await gate.decide(replace(Moment(t=float(t), frames=frames, instruction="Tell me when someone comes in."), **changes))


@pytest.mark.parametrize("noise", [0.0, 12.0])
async def test_a_still_scene_costs_one_look_in_fifteen_seconds(gate: GateWatcher, noise: float) -> None:
    await watch(gate, scene(noise), range(1, 151))
    assert gate.gated >= 0.9 * 150
    assert all(b - a <= 15 for a, b in zip(inner(gate).times, inner(gate).times[1:], strict=False))


async def test_a_gated_second_says_so(gate: GateWatcher) -> None:
    await watch(gate, scene(), range(1, 12))
    picture = next(scene())
    decision = await gate.decide(Moment(t=12.0, frames=(Frame(12.0, picture),), instruction="Tell me when someone comes in."))
    assert decision.evidence.tags == ((STILL, 1.0),) and decision.p_act == 0.0


@pytest.mark.parametrize("size", [24, 60, 200])
async def test_something_new_is_let_through_at_once_however_small(gate: GateWatcher, size: int) -> None:
    pictures = scene(4.0)
    await watch(gate, pictures, range(1, 14))

    def with_something() -> Iterator[Image]:
        for picture in pictures:
            picture[200 : 200 + size, 300 : 300 + size] = (250, 250, 250)
            yield picture

    before = len(inner(gate).times)
    await watch(gate, with_something(), range(14, 18))
    assert inner(gate).times[before] == 14.0 and len(inner(gate).times) >= before + 3, "and the seconds after it"


async def test_a_slow_change_adds_up(gate: GateWatcher) -> None:
    pictures = scene(2.0)
    await watch(gate, pictures, range(1, 14))

    def fading() -> Iterator[Image]:
        for number, picture in enumerate(pictures):
            patch = picture[100:220, 100:220].astype(np.float32)
            picture[100:220, 100:220] = np.clip(patch + 2.5 * number, 0, 255).astype(np.uint8)
            yield picture

    before = len(inner(gate).times)
    await watch(gate, fading(), range(14, 28))
    assert any(t < 26 for t in inner(gate).times[before:])


async def test_a_lamp_that_changes_everything_alike_is_no_event(gate: GateWatcher) -> None:
    pictures = scene(2.0)
    await watch(gate, pictures, range(1, 14))
    before = gate.passed
    await watch(gate, (np.clip(p.astype(np.int16) + 12, 0, 255).astype(np.uint8) for p in pictures), range(14, 15))
    assert gate.passed == before


@pytest.mark.parametrize(
    "changes",
    [
        {"heard": (Transcript("What is that?", 14, 14),)},
        {"instruction": "Count the people."},
        {"instruction_t": 13.5},
        {"answers": (Answer("d1", "ready", "A heron."),)},
    ],
)
async def test_words_always_pass(gate: GateWatcher, changes: dict[str, Any]) -> None:
    pictures = scene()
    await watch(gate, pictures, range(1, 14))
    assert 13.0 not in inner(gate).times
    await watch(gate, pictures, range(14, 15), **changes)
    assert inner(gate).times[-1] == 14.0


async def test_an_answer_that_waits_does_not_hold_the_gate_open(gate: GateWatcher) -> None:
    pictures, found = scene(), (Answer("d1", "ready", "A heron."),)
    await watch(gate, pictures, range(1, 15), answers=found)
    assert gate.gated >= 8


@pytest.mark.parametrize(
    "text", ["In 30 seconds remind me of the pizza.", "Every 10 minutes tell me what you see.", "每隔5分钟提醒我喝水"]
)
async def test_time_needs_every_second(gate: GateWatcher, text: str) -> None:
    await watch(gate, scene(), range(1, 20), instruction=text)
    assert gate.gated == 0


async def test_doubt_and_faults_keep_it_open(gate: GateWatcher) -> None:
    inner(gate).answer = Silence(0.4)
    await watch(gate, scene(), range(1, 10))
    assert gate.gated == 0
    inner(gate).answer = Respond("Someone came in.")
    await watch(gate, scene(), range(10, 13))
    assert gate.gated == 0
    inner(gate).fails = True
    for t in (13, 14):
        with pytest.raises(ProviderFailed):
            await watch(gate, scene(), range(t, t + 1))
    assert inner(gate).times[-2:] == [13.0, 14.0]


async def test_a_blind_second_passes_to_whoever_counts_them(gate: GateWatcher) -> None:
    await gate.decide(Moment(t=1.0, instruction="x"))
    assert inner(gate).times == [1.0]


@pytest.mark.parametrize(
    "text",
    [
        "Tell me if nothing happens for 20 seconds.",
        "If I sit still for 5 minutes, tell me to move.",
        "Remind me at 10:30 to call.",
        "Count down from ten aloud.",
        "久坐十分钟提醒我",
    ],
)
async def test_what_speaks_of_time_in_any_words_holds_it_open(gate: GateWatcher, text: str) -> None:
    await watch(gate, scene(), range(1, 12), instruction=text)
    assert gate.gated == 0


async def test_a_hush_while_pictures_are_compared_is_kept(gate: GateWatcher) -> None:
    inner(gate).answer = Respond("Someone came in.")
    run = gate._worker.run

    async def hushing(call: Any) -> Any:
        gate.hush()
        return await run(call)

    gate._worker.run = hushing  # type: ignore[method-assign]
    await watch(gate, scene(), range(1, 2))
    assert inner(gate).times == []


async def test_a_question_asked_in_a_hushed_second_arrives_in_the_next(gate: GateWatcher) -> None:
    pictures, run, said = scene(), gate._worker.run, (Transcript("What is that?", 14, 14),)
    await watch(gate, pictures, range(1, 14))

    async def hushing(call: Any) -> Any:
        gate.hush()
        return await run(call)

    gate._worker.run = hushing  # type: ignore[method-assign]
    await watch(gate, pictures, range(14, 15), heard=said)
    gate._worker.run = run  # type: ignore[method-assign]
    await watch(gate, pictures, range(15, 16))
    assert inner(gate).times[-1] == 15.0 and inner(gate).heard[-1] == said


async def test_every_time_is_not_a_time(gate: GateWatcher) -> None:
    await watch(gate, scene(), range(1, 30), instruction="Tell me every time someone comes in.")
    assert gate.gated > 15
