"""A session and its watcher: exchanged while it runs, hushed, shown the moment as it is when its turn has come."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from joyvl_app.clock import ManualClock
from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.domain import Decision, Moment, Respond, Silence
from joyvl_app.errors import Busy, MissingPart
from joyvl_app.events import Decided, DeciderChanged, Heard, Instruction, Spoken, State, Unparsed
from joyvl_app.ports import Decider
from joyvl_app.session import Session
from tests.support import Bench


class Slow(PlainWatcher):
    """Waits its turn for `wait` seconds, renews the moment, then says what it was shown; `words` are written one a tenth."""

    def __init__(self, decider: SlowDecider) -> None:
        super().__init__()
        self._decider, self._hushed = decider, False
        self.closed = False

    def hush(self) -> None:
        self._hushed = True

    async def decide(self, moment: Moment) -> Decision:
        decider, self._hushed = self._decider, False
        await decider.clock.sleep_until(decider.clock.now() + decider.wait)
        renewed = self.host.renew(moment)
        decider.shown.append(renewed)
        for number, _ in enumerate(decider.words, start=1):
            await decider.clock.sleep_until(decider.clock.now() + 0.1)
            if self._hushed:
                return Silence(0.9)
            self.host.draft(" ".join(decider.words[:number]))
        return Respond(" ".join(decider.words)) if decider.words else Silence(0.1)

    async def aclose(self) -> None:
        self.closed = True


class SlowDecider:
    name = "slow"

    def __init__(self, clock: ManualClock, wait: float = 0.0, words: tuple[str, ...] = (), loads: float = 0.0) -> None:
        self.clock, self.wait, self.words, self.loads = clock, wait, words, loads
        self.shown: list[Moment] = []
        self.watchers: list[Slow] = []
        self.fails: Exception | None = None

    async def start(self) -> None:
        await self.clock.sleep_until(self.clock.now() + self.loads)
        if self.fails:
            raise self.fails

    async def aclose(self) -> None:
        return None

    def open(self, session_id: str) -> Slow:
        self.watchers.append(Slow(self))
        return self.watchers[-1]


def bench(**changes: object) -> tuple[Bench, SlowDecider]:
    made: list[SlowDecider] = []

    def make(clock: ManualClock) -> Decider:
        made.append(SlowDecider(clock, **changes))  # type: ignore[arg-type]
        return made[0]

    return Bench(decider=make), made[0]


async def test_another_decider_takes_over_while_the_first_goes_on() -> None:
    session, first = bench()
    second = SlowDecider(session.clock, loads=3.0)
    second.name = "second"
    await session.run(10, (2.2, lambda s: s.switch("second", lambda: second)))
    assert [change.name for change in session.of(DeciderChanged)] == ["slow", "second"]
    switched = session.of(DeciderChanged)[1].t
    assert switched >= 5.2 and first.shown[-1].t > 4.5 and second.shown[0].t >= switched
    assert all(b.t - a.t < 1.6 for a, b in zip(session.of(Decided), session.of(Decided)[1:], strict=False)), "no second is lost"
    assert first.watchers[0].closed and second.watchers[0].closed
    assert any("Loading second; slow goes on" in state.detail for state in session.of(State))


@pytest.mark.parametrize("fault", [MissingPart("pip install x"), Busy("all places are taken"), RuntimeError("broken")])
async def test_a_decider_that_cannot_be_used_changes_nothing(fault: Exception) -> None:
    session, first = bench()
    second = SlowDecider(session.clock)
    second.fails, second.name = fault, "second"
    await session.run(6, (2.2, lambda s: s.switch("second", lambda: second)))
    assert session.of(DeciderChanged)[0].name == "slow" and first.shown[-1].t >= 4.5
    assert any("second cannot be used, slow goes on" in state.detail for state in session.of(State))
    assert not any(state.name == "error" for state in session.of(State))


async def test_a_decider_that_cannot_even_be_made_changes_nothing() -> None:
    session, first = bench()

    def make() -> Decider:
        raise MissingPart("The decider 'vlm' needs: pip install torch")

    await session.run(5, (2.2, lambda s: s.switch("vlm", make)))
    assert any("pip install torch" in state.detail for state in session.of(State)) and first.shown[-1].t >= 3.5


async def test_switching_back_before_it_has_loaded_keeps_the_present_one() -> None:
    session, first = bench()
    second = SlowDecider(session.clock, loads=5.0)
    second.name = "second"
    await session.run(10, (2.2, lambda s: s.switch("second", lambda: second)), (3.2, lambda s: s.switch("slow", lambda: first)))
    assert [change.name for change in session.of(DeciderChanged)] == ["slow", "slow"] and second.watchers == []


async def test_a_decision_that_waited_is_taken_on_what_is_there_now() -> None:
    session, decider = bench(wait=0.8)
    await session.run(6, (2.3, lambda s: s.hear("What is that?")))
    decided = session.of(Decided)
    assert all(event.age_ms < 600 for event in decided), "the picture of now, not that of the asking"
    assert [moment.t for moment in decider.shown] == [event.t for event in decided]
    asked = [moment for moment in decider.shown if moment.heard]
    assert len(asked) == 1 and asked[0].t < 3.2, "a sentence that came while it waited is in it, once"


async def test_what_is_being_written_can_be_stopped() -> None:
    session, _ = bench(words=("one", "two", "three", "four", "five"))
    await session.run(4, (1.25, Session.interrupt), (2.25, lambda s: s.hear("Be quiet.")), (3.25, Session.pause))
    spoken = [event.decision_t for event in session.of(Spoken)]
    assert len(spoken) == 1 and spoken[0] < 1, "only the first second's sentence was not stopped"
    assert session.of(Heard)


async def test_drafts_go_to_whoever_watches_and_into_no_log() -> None:
    session, _ = bench(words=("A", "dog."))
    seen: list[str] = []

    async def listen() -> None:
        queue = session.log.listen()
        while (item := await queue.get()) is not None:
            if item[1].type == "draft":
                seen.append(item[1].text)

    listening = asyncio.create_task(listen())
    events = await session.run(2)
    await listening
    assert seen[:2] == ["A", "A dog."] and not any(event.type == "draft" for event in events)


async def test_before_anything_was_asked_the_decider_knows_that_it_may_not_speak() -> None:
    session, decider = bench()
    session.session.controls.instruction = ""
    session.session._inbox.asked = False
    await session.run(5, (3.2, lambda s: s.instruct("Count.")))
    assert [moment.mute for moment in decider.shown] == [moment.t < 3.2 for moment in decider.shown]
    assert session.of(Instruction)


async def test_stray_text_is_logged() -> None:
    session, _ = bench()
    session.session.wrote("I see a cat.", False)
    session.session.wrote("</silence>", True)
    assert [event.raw for event in session.of(Unparsed)] == ["I see a cat."]


async def test_renewing_keeps_the_old_picture_when_none_is_new() -> None:
    session, _ = bench()
    old = replace(session.session._moment(), t=1.0)
    assert session.session.renew(old).frames == old.frames


# --- before it is ready ------------------------------------------------------------------------------------------------


async def test_another_decider_may_be_chosen_while_the_first_one_loads() -> None:
    session, slow = bench(loads=1_000.0)
    quick = SlowDecider(session.clock)
    quick.name = "quick"

    async def happen() -> None:
        running = asyncio.create_task(session.session.run())
        await session.clock.sleep_until(2)
        session.session.switch("quick", lambda: quick)
        feeding = asyncio.create_task(session._feed())
        await session.clock.sleep_until(8)
        session.session.stop()
        await running
        feeding.cancel()

    await session.clock.drive(happen())
    assert session.of(Decided) and quick.shown and slow.watchers == []
    assert [state.name for state in session.of(State) if state.name in ("watching", "error")] == ["watching"]


async def test_a_decider_that_the_app_chose_and_cannot_use_gives_way() -> None:
    session, slow = bench()
    slow.fails = MissingPart("The folder is half downloaded.")
    spare = SlowDecider(session.clock)
    spare.name = "embedded"
    session.session._deciding._fallback = lambda: spare
    await session.run(4)
    assert spare.shown and any("half downloaded" in state.detail for state in session.of(State))
    told = session.of(DeciderChanged)
    assert [(change.name, change.detail) for change in told] == [("embedded", "The folder is half downloaded.")]
    assert [state.name for state in session.of(State)][-2:] == ["watching", "stopped"]


async def test_what_a_user_should_know_of_the_decider_is_told_at_the_start() -> None:
    session, slow = bench()
    slow.about = "This model was not trained to decide when to speak."  # type: ignore[attr-defined]
    await session.run(2)
    assert [(change.name, change.detail) for change in session.of(DeciderChanged)] == [("slow", slow.about)]  # type: ignore[attr-defined]


async def test_a_crash_while_opening_is_told_as_an_error() -> None:
    session, slow = bench()
    slow.open = lambda session_id: 1 / 0  # type: ignore[assignment, method-assign, return-value]

    async def stop_later() -> None:
        running = asyncio.create_task(session.session.run())
        await session.clock.sleep_until(10)
        session.session.stop()
        await running

    await session.clock.drive(stop_later())
    assert any("ZeroDivisionError" in state.detail for state in session.of(State) if state.name == "error")


async def test_a_first_question_that_came_while_it_waited_is_answered_aloud() -> None:
    session, decider = bench(wait=0.5, words=("Hi.",))
    session.session.controls.instruction = ""
    session.session._inbox.asked = False
    await session.run(3.5, (2.2, lambda s: s.hear("What is that?")))
    answered = next(moment for moment in decider.shown if moment.heard)
    assert answered.t in [event.decision_t for event in session.of(Spoken)]
