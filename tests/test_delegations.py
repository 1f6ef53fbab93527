"""The life of a delegated question: offered when the topic has moved on, leave to act, brains that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from joyvl_app.clock import ManualClock
from joyvl_app.deciders.scripted import Step
from joyvl_app.domain import Answer, Delegate, Delegation
from joyvl_app.errors import ProviderFailed
from joyvl_app.events import Answered, Decided, DelegationChanged, Heard, Permission, Spoken
from joyvl_app.intent import is_yes
from joyvl_app.ports import Errand, SessionTools
from joyvl_app.session import Session
from tests.support import Bench

Work = Callable[[ManualClock, Delegation, Errand], Awaitable[Answer]]


class Told:
    """A brain that does what it is told."""

    def __init__(self, clock: ManualClock, work: Work) -> None:
        self._clock, self._work = clock, work
        self.tasks: list[Delegation] = []

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    async def solve(self, task: Delegation, tools: SessionTools, errand: Errand) -> Answer:
        self.tasks.append(task)
        return await self._work(self._clock, task, errand)


def after(seconds: float, digest: str = "It is a heron.", card: str = "") -> Work:
    async def work(clock: ManualClock, task: Delegation, errand: Errand) -> Answer:
        await clock.sleep_until(clock.now() + seconds)
        return Answer(task.id, "ready", digest, card)

    return work


ASKED = Step(2.0, Delegate("What bird is that?", "One moment."))


def bench(work: Work, *more: Step, **changes: object) -> Bench:
    return Bench([ASKED, *more], brain=lambda clock: Told(clock, work), **changes)  # type: ignore[arg-type]


async def test_an_answer_that_comes_soon_is_said() -> None:
    one = bench(after(3))
    await one.run(14, (2.0, lambda session: session.hear("what bird is that?")))
    assert [event.text for event in one.of(Spoken)] == ["One moment.", "It is a heron."]
    assert [event.state for event in one.of(Answered)] == ["ready", "spoken"]
    assert not one.of(Answered)[0].offered


async def test_a_late_answer_after_another_question_is_offered_and_told_on_a_yes() -> None:
    one = bench(after(20))
    await one.run(
        60,
        (2.0, lambda session: session.hear("what bird is that?")),
        (10.0, lambda session: session.hear("how many people are there?")),
        (40.0, lambda session: session.hear("yes, tell me")),
    )
    said = [event.text for event in one.of(Spoken)]
    assert said == ["One moment.", "I have found something about “What bird is that?”. Shall I tell you?", "It is a heron."]
    assert one.of(Answered)[0].offered
    assert [event.intent for event in one.of(Heard)][-1] == "tell"
    assert one.of(Answered)[-1].state == "spoken"


async def test_an_offer_that_nobody_takes_up_lapses() -> None:
    one = bench(after(20))
    await one.run(
        120,
        (2.0, lambda session: session.hear("what bird is that?")),
        (10.0, lambda session: session.hear("how many people are there?")),
        (110.0, lambda session: session.hear("yes")),
    )
    assert "It is a heron." not in [event.text for event in one.of(Spoken)]
    assert one.of(Heard)[-1].intent == "ask"  # a yes to nothing


async def test_a_late_answer_to_the_only_question_is_simply_said() -> None:
    one = bench(after(40))
    await one.run(60, (2.0, lambda session: session.hear("what bird is that?")))
    assert [event.text for event in one.of(Spoken)][-1] == "It is a heron."


async def test_an_offer_in_the_users_language() -> None:
    from joyvl_app.parts import Controls

    one = bench(after(20, "那是苍鹭。"), controls=Controls("watch", language="zh"))
    await one.run(40, (10.0, lambda session: session.hear("有几个人？")))
    assert "关于“What bird is that?”我查到了" in one.of(Spoken)[-1].text


@pytest.mark.parametrize("word", ["yes", "Yes please.", "tell me", "go ahead", "OK, tell me!", "好", "好的，告诉我", "说吧。"])
def test_what_takes_up_an_offer(word: str) -> None:
    assert is_yes(word)


@pytest.mark.parametrize(
    "word", ["yesterday", "tell me when a dog comes", "no", "do you see a dog?", "不要", "好看吗", "please count"]
)
def test_what_does_not(word: str) -> None:
    assert not is_yes(word)


async def test_the_brain_is_told_what_the_user_said_and_what_the_decider_made_of_it() -> None:
    made: list[Told] = []

    def brain(clock: ManualClock) -> Told:
        made.append(Told(clock, after(1)))
        return made[0]

    one = Bench([Step(2.0, Delegate("Which species is the bird?")), Step(9.0, Delegate("Buy a car."))], brain=brain)
    await one.run(14, (2.0, lambda session: session.hear("what bird is that?")))
    asked, unasked = made[0].tasks
    assert (asked.question, asked.asked, asked.instruction) == ("Which species is the bird?", "what bird is that?", "watch")
    assert (unasked.question, unasked.asked) == ("Buy a car.", "")


# --- brains that misbehave -----------------------------------------------------------------------------------------------


async def test_ten_megabytes_are_cut() -> None:
    one = bench(after(1, "a" * 10_000_000, "b" * 10_000_000))
    await one.run(12)
    answer = one.of(Answered)[0]
    assert len(answer.digest) == 400 and len(answer.card) == 20_000


async def test_a_brain_that_hangs_and_ignores_being_cancelled_does_not_hold_up_stop() -> None:
    async def stubborn(clock: ManualClock, task: Delegation, errand: Errand) -> Answer:
        for _ in range(2):  # the test itself must end
            with suppress(asyncio.CancelledError):
                await clock.sleep_until(clock.now() + 1_000)
        raise asyncio.CancelledError

    one = bench(stubborn, delegation_seconds=30)
    await one.run(50)
    assert [event.state for event in one.of(DelegationChanged)][-1] == "timed_out"
    assert len(one.of(Decided)) == 50
    again = bench(stubborn)
    await again.run(10)  # stopped meanwhile
    assert [event.state for event in again.of(DelegationChanged)][-1] == "cancelled"


async def test_nothing_is_heard_of_a_brain_that_answers_after_stop_or_cancel() -> None:
    late: list[Errand] = []

    async def work(clock: ManualClock, task: Delegation, errand: Errand) -> Answer:
        late.append(errand)
        await clock.sleep_until(clock.now() + 20)
        return Answer(task.id, "ready", "Too late.")

    one = bench(work)
    await one.run(
        12, (5.0, lambda session: session.delegations.cancel("d1")), (6.0, lambda session: late[0].report("still here"))
    )
    states = [(event.state, event.detail) for event in one.of(DelegationChanged)]
    assert states == [("submitted", ""), ("running", ""), ("cancelled", "")]
    assert await late[0].allowed("send mail", "{}") is False
    assert "Too late." not in [event.text for event in one.of(Spoken)]


@pytest.mark.parametrize(
    ("fault", "card"), [(ProviderFailed("The model is down."), "The model is down."), (ValueError("sk-secret"), "(ValueError)")]
)
async def test_a_brain_that_raises_is_an_answer_that_failed(fault: Exception, card: str) -> None:
    async def work(clock: ManualClock, task: Delegation, errand: Errand) -> Answer:
        raise fault

    one = bench(work)
    await one.run(12)
    answer = one.of(Answered)[0]
    assert (answer.state, answer.digest, answer.card) == ("failed", "I could not find that out.", card)


async def test_a_brain_that_reports_without_end_is_heard_forty_times() -> None:
    async def work(clock: ManualClock, task: Delegation, errand: Errand) -> Answer:
        for number in range(5_000):
            errand.report(f"step {number} " + "x" * 1_000)
        return Answer(task.id, "ready", "Done.")

    one = bench(work)
    await one.run(8)
    steps = [event for event in one.of(DelegationChanged) if event.detail]
    assert len(steps) == 40 and all(len(event.detail) <= 200 for event in steps)


# --- leave to act ----------------------------------------------------------------------------------------------------------


async def acting(clock: ManualClock, task: Delegation, errand: Errand) -> Answer:
    granted = await errand.allowed("send mail", '{"to": "Ann"}')
    return Answer(task.id, "ready", "Sent." if granted else "Not sent.")


@pytest.mark.parametrize(
    ("word", "states", "answer"),
    [
        (True, ["asked", "granted"], "Sent."),
        (False, ["asked", "refused"], "Not sent."),
        (None, ["asked", "expired"], "Not sent."),
    ],
)
async def test_the_user_is_asked_and_silence_is_a_no(word: bool | None, states: list[str], answer: str) -> None:
    one = bench(acting, permission_seconds=8)

    def say(session: Session) -> None:
        if word is not None:
            session.delegations.decide("d1", 1, word)
            session.delegations.decide("d1", 1, not word)  # too late: it was decided

    await one.run(20, (5.0, say))
    assert [event.state for event in one.of(Permission)] == states
    assert one.of(Answered)[0].digest == answer
    assert one.of(Permission)[0].details == '{"to": "Ann"}'


async def test_a_word_for_another_request_decides_nothing() -> None:
    one = bench(acting, permission_seconds=8)
    await one.run(20, (5.0, lambda session: session.delegations.decide("d2", 1, True)),
                  (6.0, lambda session: session.delegations.decide("d1", 9, True)))  # fmt: skip
    assert [event.state for event in one.of(Permission)] == ["asked", "expired"]


async def test_stop_in_the_very_second_of_a_delegation_leaves_nothing_running() -> None:
    one = bench(after(5))
    one_shot = one.session.delegations

    def stop(session: Session) -> None:
        session.stop()

    await one.run(4, (2.0, stop))
    states = [event.state for event in one.of(DelegationChanged)]
    assert states == [] or states[-1] == "cancelled"
    assert one_shot._running == {}


async def test_the_cards_button_tells_an_answer_long_after_its_offer() -> None:
    one = bench(after(20))
    await one.run(
        140,
        (10.0, lambda session: session.hear("how many people are there?")),
        (120.0, lambda session: session.tell_answer("d1")),
    )
    assert [event.text for event in one.of(Spoken)][-1] == "It is a heron."
