"""The baselines that speak only when asked, and every so often."""

from __future__ import annotations

import pytest

from joyvl_app.build import DECIDERS
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.asked import Asked
from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.domain import Decision, Moment, Respond, Silence
from joyvl_app.errors import BadInput
from joyvl_app.events import Decided, Spoken
from tests.support import Bench, settings


class _Eager(PlainWatcher):
    """Would speak every second; tells what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    async def decide(self, moment: Moment) -> Decision:
        self.seen += 1
        asked = " ".join(heard.text for heard in moment.heard)
        return Respond(f"{moment.t:.0f}: {asked or 'unasked'}")


class _EagerDecider:
    name = "eager"

    def __init__(self) -> None:
        self.watcher = _Eager()

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    def open(self, session_id: str) -> _Eager:
        return self.watcher


async def _said(every: float | None, seconds: float, *happenings: object) -> tuple[list[str], _Eager]:
    inner = _EagerDecider()
    bench = Bench(decider=lambda clock: Asked("asked", inner, every), instruction="Count the birds.")
    await bench.run(seconds, *happenings)  # type: ignore[arg-type]
    return [event.text for event in bench.of(Spoken)], inner.watcher


async def test_turn_based_answers_the_instruction_and_questions_and_nothing_else() -> None:
    said, inner = await _said(None, 12, (6.0, lambda session: session.hear("How many birds are there?")))
    assert said == ["1: What do you see?", "6: How many birds are there?"]
    assert inner.seen >= 12  # it watches all the while


async def test_polling_asks_itself_every_so_often() -> None:
    said, _ = await _said(4, 12)
    assert said == ["1: What do you see?", "5: What do you see?", "9: What do you see?"]


async def test_a_new_instruction_is_a_question_too() -> None:
    said, _ = await _said(None, 10, (5.0, lambda session: session.instruct("Greet people.")))
    assert [text.partition(":")[2] for text in said] == [" What do you see?"] * 2


async def test_what_it_would_have_said_unasked_is_silence_in_the_log() -> None:
    bench = Bench(decider=lambda clock: Asked("asked", _EagerDecider()), instruction="Count.")
    await bench.run(5)
    assert [event.action for event in bench.of(Decided)].count("respond") == 1


async def test_nothing_is_asked_where_nobody_instructed() -> None:
    watcher = Asked("asked", _EagerDecider(), 2).open("x")
    told = [await watcher.decide(Moment(float(t))) for t in range(6)]
    assert all(isinstance(decision, Silence) for decision in told)


@pytest.mark.parametrize("name", ["turn_based", "polling"])
def test_they_are_in_the_table_and_ask_the_decider_that_is_set(name: str) -> None:
    made = DECIDERS.make(name, ManualClock(), settings(baseline="chatty"))
    assert made.name == name
    with pytest.raises(BadInput, match="one with eyes"):
        DECIDERS.make(name, ManualClock(), settings(baseline="polling"))
