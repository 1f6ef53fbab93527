"""The loop: seconds, sentences, delegations and faults, on the manual clock."""

from __future__ import annotations

import asyncio

import pytest

from joyvl_app.brain.canned import CannedBrain
from joyvl_app.brain.scripted import ScriptedBrain
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.baselines import chatty, silent
from joyvl_app.deciders.scripted import ScriptedDecider, ScriptedWatcher, Step
from joyvl_app.domain import Delegate, Respond, Silence
from joyvl_app.errors import BadInput, Busy, MissingPart, ProviderFailed
from joyvl_app.events import (
    Answered,
    Chunk,
    Decided,
    DelegationChanged,
    Footer,
    Heard,
    Instruction,
    Spoken,
    State,
    TickLate,
)
from joyvl_app.intent import Intent
from joyvl_app.scenario import MAX_INSTRUCTION
from joyvl_app.tts.scripted import ScriptedSynthesizer
from tests.support import Bench


async def test_one_decision_a_second_and_what_is_decided_is_spoken() -> None:
    bench = Bench([Step(3.0, Respond("Someone came in.", 0.9))])
    await bench.run(6)
    assert [event.t for event in bench.of(Decided)] == [0, 1, 2, 3, 4, 5]
    assert [(event.t_start, event.text, event.decision_t) for event in bench.of(Spoken)] == [(3.0, "Someone came in.", 3.0)]
    assert isinstance(bench.log.events()[-1], Footer)
    assert [state.name for state in bench.of(State)] == ["warming_up", "watching", "stopped"]


async def test_a_slow_decision_skips_seconds_and_says_so() -> None:
    bench = Bench([Step(2.0, Respond("Late.", 0.9), seconds=2.4)])
    await bench.run(8)
    decisions = [(event.t, event.skipped) for event in bench.of(Decided)]
    assert decisions == [(0, 0), (1, 0), (2, 0), (4.4, 1), (5, 0), (6, 0), (7, 0)]
    assert [(event.t, event.skipped) for event in bench.of(TickLate)] == [(4.4, 1)]
    assert bench.of(Decided)[2].decision_ms == pytest.approx(2_400)
    assert bench.of(Spoken)[0].t_start == pytest.approx(4.4)


async def test_a_typed_sentence_is_decided_at_once_and_only_once() -> None:
    bench = Bench()
    await bench.run(5, (2.3, lambda session: session.hear("What do you see?")))
    assert bench.watcher is not None
    heard = [(moment.t, [line.text for line in moment.heard]) for moment in bench.watcher.moments if moment.heard]
    assert heard == [(2.3, ["What do you see?"])]
    assert [event.t for event in bench.of(Decided)] == [0, 1, 2, 2.3, 3, 4]
    assert bench.of(Heard)[0].text == "What do you see?"


async def test_instructions_are_replaced_appended_and_stopped() -> None:
    bench = Bench(instruction="Count the people.")
    await bench.run(
        6,
        (1.5, lambda session: session.hear("also tell me when a dog appears")),
        (3.5, lambda session: session.hear("Alert me when someone comes in.")),
        (4.5, lambda session: session.hear("stop")),
    )
    assert [event.text for event in bench.of(Instruction)] == [
        "Count the people.",
        "Count the people.\ntell me when a dog appears",
        "Alert me when someone comes in.",
        "",
    ]


async def test_too_long_an_instruction_is_refused_and_the_old_one_stays() -> None:
    bench = Bench(instruction="Count the people.")
    with pytest.raises(BadInput, match=r"2000 characters; this one has 10000"):
        bench.session.instruct("x" * 10_000)
    bench.session.instruct("😀" * MAX_INSTRUCTION)
    assert len(bench.session.controls.instruction) == MAX_INSTRUCTION
    with pytest.raises(BadInput):
        bench.session.hear(" \n ")


async def test_the_inbox_is_bounded() -> None:
    bench = Bench(inbox_max=2)
    bench.session.hear("one?")
    bench.session.hear("two?")
    with pytest.raises(Busy):
        bench.session.hear("three?")


async def test_it_is_silent_until_the_first_instruction() -> None:
    bench = Bench(decider=lambda clock: chatty(), instruction="")
    await bench.run(5, (2.5, lambda session: session.instruct("talk")))
    assert [event.action for event in bench.of(Decided)] == ["silence", "silence", "silence", "respond", "respond"]
    assert bench.of(Decided)[0].p_act == 1.0


async def test_a_failing_decider_is_a_silent_second_not_the_end() -> None:
    steps = [
        Step(1.0, fails=ProviderFailed("The model did not answer.")),
        Step(2.0, fails=ValueError("bug")),
        Step(3.0, Respond("Back.", 0.9)),
    ]
    bench = Bench(steps)
    await bench.run(5)
    assert [event.action for event in bench.of(Decided)] == ["silence", "silence", "silence", "respond", "silence"]
    errors = [state.detail for state in bench.of(State) if state.name == "error"]
    assert errors[0] == "The model did not answer."
    assert "ValueError: bug" in errors[1]
    assert [state.name for state in bench.of(State)][-2:] == ["watching", "stopped"]


async def test_a_missing_weight_is_told_and_the_session_recovers_when_it_is_there() -> None:
    class Weightless(ScriptedDecider):
        tries = 0

        async def start(self) -> None:
            self.tries += 1
            if self.tries < 3:
                raise MissingPart("The weight file nanodet.onnx is missing; get it again with git checkout.")

    bench = Bench(decider=lambda clock: Weightless(clock))
    await bench.run(9)
    states = [(state.name, state.detail) for state in bench.of(State)]
    assert ("error", "The weight file nanodet.onnx is missing; get it again with git checkout.") in states
    assert [name for name, _ in states][-2:] == ["watching", "stopped"] and bench.of(Decided)[0].t == 6.0


async def test_a_session_that_cannot_start_can_be_stopped_and_its_log_is_closed() -> None:
    class Weightless(ScriptedDecider):
        async def start(self) -> None:
            raise MissingPart("The weight file nanodet.onnx is missing; get it again with git checkout.")

    bench = Bench(decider=lambda clock: Weightless(clock))

    async def stop_later() -> None:
        running = asyncio.create_task(bench.session.run())
        await bench.clock.sleep_until(30)
        bench.session.stop()
        await running

    await bench.clock.drive(stop_later())
    assert [state.name for state in bench.of(State)][-1] == "error" and isinstance(bench.log.events()[-1], Footer)


async def test_no_picture_is_told_and_time_goes_on() -> None:
    bench = Bench(pictures=False)
    await bench.run(6)
    assert ("blind", "no picture yet") in [(state.name, state.detail) for state in bench.of(State)]
    assert bench.watcher is not None
    assert bench.watcher.moments and all(not moment.frames for moment in bench.watcher.moments)


async def test_pause_stops_decisions_and_resume_goes_on() -> None:
    bench = Bench()
    await bench.run(8, (2.5, lambda session: session.pause()), (5.5, lambda session: session.resume()))
    assert [event.t for event in bench.of(Decided)] == [0, 1, 2, 5.5, 6, 7]
    assert [state.name for state in bench.of(State)] == ["warming_up", "watching", "paused", "watching", "stopped"]


async def test_a_delegated_question_is_answered_while_watching_goes_on() -> None:
    bench = Bench(
        [Step(1.0, Delegate("Which car is it?", "Let me look.", 0.9))],
        brain=lambda clock: ScriptedBrain(clock, {"which car": "It is a 2019 model."}, seconds=3.0),
    )
    await bench.run(12)
    assert [change.state for change in bench.of(DelegationChanged)] == ["submitted", "running", "running", "ready"]
    answers = [(event.state, event.digest) for event in bench.of(Answered)]
    assert answers == [("ready", "It is a 2019 model."), ("spoken", "It is a 2019 model.")]
    # The scripted decider never says it, so the session does, after five seconds of a free floor.
    assert [(event.text, event.decision_t) for event in bench.of(Spoken)] == [("Let me look.", 1), ("It is a 2019 model.", 9)]
    assert [event.t for event in bench.of(Decided)] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]


async def test_a_decider_that_passes_an_answer_on_is_not_repeated() -> None:
    bench = Bench(
        [Step(1.0, Delegate("Which car?", "", 0.9)), Step(5.0, Respond("By the way, it is a 2019 model.", 0.9))],
        brain=lambda clock: ScriptedBrain(clock, {"car": "It is a 2019 model."}, seconds=2.0),
    )
    await bench.run(14)
    assert bench.watcher is not None
    assert [event.text for event in bench.of(Spoken)] == ["By the way, it is a 2019 model."]
    assert [moment.t for moment in bench.watcher.moments if moment.answers] == [3, 4, 5]


@pytest.mark.parametrize(
    ("seconds", "brain", "state"),
    [
        (3.0, lambda clock: ScriptedBrain(clock, seconds=100.0), "timed_out"),
        (60.0, lambda clock: ScriptedBrain(clock, seconds=1.0), "failed"),
        (60.0, lambda clock: CannedBrain(), "failed"),
    ],
)
async def test_a_delegation_that_goes_wrong_is_told(seconds: float, brain: object, state: str) -> None:
    bench = Bench([Step(1.0, Delegate("Why?", "", 0.9))], brain=brain, delegation_seconds=seconds)  # type: ignore[arg-type]
    await bench.run(14)
    assert bench.of(DelegationChanged)[-1].state == state
    assert len(bench.of(Spoken)) == 1


async def test_an_answer_that_only_shares_letters_with_a_sentence_is_not_lost() -> None:
    bench = Bench(
        [Step(1.0, Delegate("Where?", "", 0.9)), Step(4.0, Respond("Someone came in.", 0.9))],
        brain=lambda clock: ScriptedBrain(clock, {"where": "Paris."}, seconds=2.0),
    )
    await bench.run(14)
    assert [event.text for event in bench.of(Spoken)] == ["Someone came in.", "Paris."]


async def test_the_same_reminder_can_be_set_twice() -> None:
    from joyvl_app.deciders.embedded.decider import EmbeddedDecider

    bench = Bench(decider=EmbeddedDecider, instruction="")
    tea = "In 2 seconds remind me of tea."
    await bench.run(10, (1.1, lambda session: session.hear(tea)), (6.1, lambda session: session.hear(tea)))
    assert [event.text for event in bench.of(Spoken)] == ["Reminder: tea."] * 2


async def test_a_fault_while_explaining_an_instruction_is_a_silent_second() -> None:
    class Confused(ScriptedDecider):
        def open(self, session_id: str) -> ScriptedWatcher:
            watcher = super().open(session_id)
            watcher.understood = lambda instruction, language: 1 // 0  # type: ignore[method-assign, assignment, return-value]
            return watcher

    bench = Bench(decider=lambda clock: Confused(clock))
    await bench.run(4)
    assert len(bench.of(Decided)) == 4
    assert any("ZeroDivisionError" in state.detail for state in bench.of(State))


async def test_delegations_are_bounded_and_can_be_cancelled() -> None:
    steps = [Step(float(t), Delegate(f"Question {t}?", "", 0.9)) for t in (1, 2, 3)]
    bench = Bench(steps, brain=lambda clock: ScriptedBrain(clock, seconds=50.0), delegations_max=2)
    await bench.run(8, (5.5, lambda session: session.delegations.cancel("d1")))
    final = {change.id: change.state for change in bench.of(DelegationChanged)}
    assert final == {"d1": "cancelled", "d2": "cancelled", "d3": "failed"}


async def test_an_interruption_silences_what_is_being_said() -> None:
    bench = Bench([Step(1.0, Respond("x" * 100, 0.9))], synthesizer=ScriptedSynthesizer(0.1))
    await bench.run(8, (3.0, lambda session: session.hear("be quiet")))
    spoken = bench.of(Spoken)
    assert [(event.cut, event.t_start, event.t_end) for event in spoken] == [(True, 1.0, 3.0)]
    assert not bench.session.voice.playout.seconds


async def test_an_urgent_sentence_cuts_in() -> None:
    steps = [Step(1.0, Respond("y" * 100, 0.9)), Step(3.0, Respond("Fire!", 0.9, urgent=True))]
    bench = Bench(steps, synthesizer=ScriptedSynthesizer(0.1))
    await bench.run(8)
    assert [(event.text[:5], event.cut) for event in bench.of(Spoken)] == [("yyyyy", True), ("Fire!", False)]


async def test_a_stale_sentence_is_not_spoken_late() -> None:
    steps = [Step(1.0, Respond("a" * 120, 0.9)), Step(2.0, Respond("Too late.", 0.9))]
    bench = Bench(steps, synthesizer=ScriptedSynthesizer(0.1))
    await bench.run(16)
    assert [event.text[:3] for event in bench.of(Spoken)] == ["aaa"]
    assert "Too late." in next(state.detail for state in bench.of(State) if state.name == "notice")


async def test_chunks_end_where_memory_says_and_carry_the_history() -> None:
    bench = Bench([Step(2.0, Respond("One.", 0.9))], chunk_seconds=5)
    await bench.run(12)
    assert [(chunk.id, chunk.t_start, chunk.t_end) for chunk in bench.of(Chunk)] == [(0, 0, 5), (1, 5, 10)]
    assert bench.watcher is not None
    contexts = {moment.chunk_id: moment.context for moment in bench.watcher.moments}
    assert contexts[0] == ""
    assert "#1 [Query@0.0 seconds] watch" in contexts[1] and "\n[Response@2.0 seconds] One." in contexts[1]


async def test_controls_reach_the_next_moment() -> None:
    bench = Bench()

    def lean(session: object) -> None:
        bench.session.controls.sensitivity = 1.5
        bench.session.controls.language = "zh"

    await bench.run(4, (1.5, lean))
    assert bench.watcher is not None
    assert [(moment.sensitivity, moment.language) for moment in bench.watcher.moments] == [(0, "en")] * 2 + [(1.5, "zh")] * 2


async def test_baselines_say_nothing_and_everything() -> None:
    quiet, loud = Bench(decider=lambda clock: silent()), Bench(decider=lambda clock: chatty())
    await quiet.run(10)
    await loud.run(10)
    assert (len(quiet.of(Spoken)), len(loud.of(Spoken))) == (0, 10)


async def test_stopping_before_the_first_picture_ends_cleanly() -> None:
    bench = Bench([Step(0.0, Silence())], pictures=False)
    await bench.run(0.5)
    assert [type(event).__name__ for event in bench.log.events()][-1] == "Footer"


async def test_ten_minutes_pass_in_a_moment() -> None:
    import time

    began = time.perf_counter()
    bench = Bench([Step(float(t), Respond("Hello.", 0.9)) for t in range(0, 600, 60)])
    await bench.run(600)
    assert len(bench.of(Spoken)) == 10
    assert time.perf_counter() - began < 10


def test_the_clock_of_the_bench_is_manual() -> None:
    assert isinstance(Bench().clock, ManualClock)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Stop.", Intent.STOP),
        ("停", Intent.STOP),
        ("be quiet", Intent.QUIET),
        ("Tell me when someone comes in", Intent.REPLACE),
        ("如果有人进来请提醒我", Intent.REPLACE),
        ("Also count the cars", Intent.APPEND),
        ("另外每隔5分钟提醒我喝水", Intent.APPEND),
        ("say something when I laugh", Intent.REPLACE),
        ("人数变化时告诉我", Intent.REPLACE),
        ("Don't talk unless someone comes in", Intent.REPLACE),
        ("Stop please", Intent.STOP),
        ("never mind", Intent.STOP),
        ("停一下", Intent.STOP),
        ("Can you tell me when a dog appears?", Intent.REPLACE),
        ("十分钟后提醒我喝水", Intent.REPLACE),
        ("Tell me the time", Intent.ASK),
        ("Tell me what each person is wearing", Intent.ASK),
        ("Don't worry", Intent.ASK),
        ("When did you see the dog", Intent.ASK),
        ("告诉我现在的时间", Intent.ASK),
        ("What do you see?", Intent.ASK),
        ("How many people are there", Intent.ASK),
        ("你看到了什么\uff1f", Intent.ASK),
        ("Who painted this?", Intent.ASK),
        ("Thank you", Intent.ASK),
    ],
)
def test_what_a_sentence_is(text: str, intent: Intent) -> None:
    from joyvl_app.intent import classify

    assert classify(text) is intent
