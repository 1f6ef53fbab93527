"""Who has the floor, on the manual clock: barge-in, urgency, what is left unsaid, and engines that fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from joyvl_app.asr.endpointing import STEP, Began, Ended, Endpointer, Paused
from joyvl_app.asr.scripted import LoudnessDetector, LoudnessEar, ScriptedTranscriber
from joyvl_app.audio import HEARD_RATE, WINDOW, Resampler, pcm
from joyvl_app.bench.room import Room
from joyvl_app.clock import RealClock
from joyvl_app.deciders.scripted import Step
from joyvl_app.domain import AudioChunk, Pcm, Respond, Sound, Transcript
from joyvl_app.errors import MissingPart, ProviderFailed
from joyvl_app.events import Adjusted, Decided, Heard, Hearing, Instruction, Saying, Spoken, State
from joyvl_app.intent import classify
from joyvl_app.own_voice import without_own
from joyvl_app.parts import Controls
from joyvl_app.plain import sentence
from joyvl_app.playout import Playout
from joyvl_app.tts.browser import BrowserSynthesizer
from joyvl_app.tts.pieces import pieces, rest_of
from joyvl_app.tts.scripted import ScriptedSynthesizer
from joyvl_app.worker import Model
from tests.support import Bench

LONG = "Someone came in on the left. Now three people are on the lawn. One of them carries a bag."  # 89 signs, 8.9 s of tone


def noise(seconds: float) -> Pcm:
    return np.random.default_rng(3).integers(-9_000, 9_000, int(seconds * HEARD_RATE)).astype(np.int16)


class Call(Bench):
    """A session with a person in its room; `said`: (second, for so long, words)."""

    def __init__(self, *steps: Step, said: tuple[tuple[float, float, str], ...] = (), **changes: object) -> None:
        lines = [Transcript(text, t, t + seconds) for t, seconds, text in said]
        given = {
            "synthesizer": ScriptedSynthesizer(0.1),
            "transcriber": ScriptedTranscriber(lines),
            "detector": LoudnessDetector(),
        }
        super().__init__(steps, **(given | changes))  # type: ignore[arg-type]
        self.room = Room(self.session.voice, self.clock, [(t, noise(seconds)) for t, seconds, _ in said])
        self.shown = self.log.listen()

    async def _feed(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(super()._feed())
            group.create_task(self.room.live())

    def states(self) -> list[str]:
        return [state.name for state in self.of(State) if state.name != "notice"]

    def notices(self) -> list[str]:
        return [state.detail for state in self.of(State) if state.name == "notice"]

    def spoken(self) -> list[tuple[str, bool]]:
        return [(event.text, event.cut) for event in self.of(Spoken)]

    def seen(self, kind: type) -> list[object]:
        """Events that were shown and not kept."""
        found: list[object] = []
        while not self.shown.empty():
            item = self.shown.get_nowait()
            found += [item[1]] if item and isinstance(item[1], kind) else []
        return found


def respond(t: float, text: str, urgent: bool = False) -> Step:
    return Step(t, Respond(text, 0.9, urgent=urgent))


async def test_the_user_who_speaks_up_stops_it_within_200_ms() -> None:
    call = Call(respond(1, LONG), said=((3.0, 1.2, "What is that?"),))
    await call.run(8)
    (cut,) = [event for event in call.of(Spoken) if event.cut]
    assert call.room.silent_from(3.0) - 3.0 <= 0.2
    assert 3.0 < cut.t_end <= 3.2 and cut.t_start == 1.0
    assert cut.unsaid == "the left. Now three people are on the lawn. One of them carries a bag."
    assert [(event.text, event.intent) for event in call.of(Heard)] == [("What is that?", "ask")]
    heard = call.of(Heard)[0]
    assert heard.t == pytest.approx(heard.t_end + 0.7, abs=0.1)  # the endpoint's silence, and no second more
    assert any(event.t == pytest.approx(heard.t, abs=0.01) for event in call.of(Decided)), (
        "a transcript starts a decision at once"
    )
    assert call.states() == ["warming_up", "watching", "speaking", "listening", "thinking", "watching", "stopped"]


async def test_what_was_left_unsaid_is_said_on_demand_once() -> None:
    said = ((3.0, 0.6, "Wait."), (5.5, 0.6, "Go on."), (15.5, 0.6, "Say that again."), (26.0, 0.6, "Continue."))
    call = Call(respond(1, LONG), said=said)
    await call.run(29)
    rest = "the left. Now three people are on the lawn. One of them carries a bag."
    assert call.spoken() == [(LONG, True), (rest, False), (rest, False)]
    assert "There is nothing to say again." in call.notices()


async def test_nobody_is_spoken_over() -> None:
    call = Call(respond(2, "A dog came in."), said=((1.5, 3.0, "Well, I think that"),))
    await call.run(9)
    (spoken,) = call.of(Spoken)
    assert not spoken.cut and spoken.t_start >= 5.2  # the user's 4.5 s, and the endpoint
    assert call.room.first_sound(0) == pytest.approx(spoken.t_start, abs=0.1)


@pytest.mark.parametrize("interrupts", [True, False])
async def test_an_urgent_sentence_speaks_over_the_user_only_where_the_scenario_says_so(interrupts: bool) -> None:
    controls = Controls("watch", urgent_interrupts=interrupts)
    call = Call(respond(2, "Fire in the kitchen!", urgent=True), said=((1.5, 3.0, "Well, I think that"),), controls=controls)
    await call.run(10)
    (spoken,) = call.of(Spoken)
    assert not spoken.cut
    assert spoken.t_start == pytest.approx(2.0) if interrupts else spoken.t_start >= 5.2


async def test_an_urgent_sentence_that_was_hardly_heard_comes_back() -> None:
    call = Call(respond(2, "Fire in the kitchen!", urgent=True), said=((2.1, 1.5, "Well, I think that"),))
    await call.run(10)
    assert call.spoken() == [("Fire in the kitchen!", True), ("Fire in the kitchen!", False)]


async def test_a_reply_goes_before_what_waited() -> None:
    steps = (respond(2.5, "A car drove by."), Step(4.1, Respond("It is a cat.", 0.9)))
    call = Call(*steps, said=((1.5, 2.0, "What is that?"),), synthesizer=ScriptedSynthesizer(0.05))
    await call.run(9)
    assert [event.text for event in call.of(Spoken)] == ["It is a cat.", "A car drove by."]


async def test_sentences_that_cannot_be_said_in_time_are_told_while_the_user_goes_on() -> None:
    steps = [respond(float(t), f"Sentence {t}.") for t in range(2, 14)]
    call = Call(*steps, said=((1.0, 25.0, "A monologue"),), speech_seconds=60)
    await call.run(24)
    assert not call.of(Spoken) and len([text for text in call.notices() if text.startswith("Not said")]) == 12


async def test_mute_turns_what_waits_into_captions() -> None:
    call = Call(respond(1, LONG), respond(2, "A dog came in."))
    await call.run(
        8, (3.5, lambda session: session.voice.be_silent(True)), (5.0, lambda session: session.voice.say("More.", 5.0))
    )
    assert call.spoken() == [("A dog came in.", False), (LONG, True), ("More.", False)]
    assert call.room.silent_from(3.5) <= 3.6


async def test_the_voice_obeys() -> None:
    said = ((2.0, 0.6, "Speak louder please."), (4.0, 0.6, "Slow down."), (6.0, 0.6, "Speak less often."))
    call = Call(said=said)
    await call.run(9)
    assert [(event.sensitivity, event.volume, event.speed) for event in call.of(Adjusted)] == [
        (0, 1.5, 1),
        (0, 1.5, 0.83),
        (-0.7, 1.5, 0.83),
    ]
    assert call.session.controls.sensitivity == -0.7


async def test_a_spoken_instruction_is_in_force_and_a_spoken_stop_ends_it() -> None:
    call = Call(said=((2.0, 1.0, "Tell me when a dog appears."), (5.0, 0.6, "Stop.")))
    await call.run(8)
    assert [event.text for event in call.of(Instruction)] == ["watch", "Tell me when a dog appears.", ""]


async def test_the_soundtrack_of_the_scene_commands_nothing_and_interrupts_nobody() -> None:
    call = Call(respond(1, LONG), said=((3.0, 1.0, "Stop everything."),))
    call.session.voice.role = "scene"
    await call.run(12)
    assert call.spoken() == [(LONG, False)] and [event.role for event in call.of(Heard)] == ["scene"]
    assert [event.text for event in call.of(Instruction)] == ["watch"]


# --- engines that fail ------------------------------------------------------------------------------------------------


class Dying(ScriptedSynthesizer):
    """Its first sentence sounds, the next one fails."""

    name = "dying"
    calls = 0

    async def stream(self, text: str, speed: float = 1.0) -> AsyncIterator[AudioChunk]:
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("the driver is gone")
        async for chunk in super().stream(text, speed):
            yield chunk


async def test_a_voice_that_fails_hands_over_to_the_next_and_then_to_the_captions() -> None:
    call = Call(respond(1, LONG), synthesizer=None, voices=(Dying(0.1), ScriptedSynthesizer(0.1)))
    await call.run(12)
    (spoken,) = call.of(Spoken)
    assert not spoken.cut and not spoken.unsaid and spoken.t_end == pytest.approx(1 + 8.7, abs=0.3)
    assert any("dying failed (RuntimeError)" in text for text in call.notices())
    alone = Call(respond(1, LONG), respond(8, "Then this."), synthesizer=Dying(0.1))
    await alone.run(12)
    assert [event.unsaid for event in alone.of(Spoken)] == [
        "Now three people are on the lawn. One of them carries a bag.",
        "Then this.",
    ]
    assert not any(event.cut for event in alone.of(Spoken)), "the captions carry what no voice could say"


class Endless(ScriptedSynthesizer):
    async def stream(self, text: str, speed: float = 1.0) -> AsyncIterator[AudioChunk]:
        while True:
            yield AudioChunk(0, 24_000, np.full(24_000, 3_000, np.int16))


async def test_a_voice_that_never_ends_is_given_up() -> None:
    call = Call(respond(1, "Endless."), respond(75, "After it."), synthesizer=Endless())
    await call.run(100)
    assert call.of(Spoken)[0].t_end < 70 and call.of(Spoken)[-1].text == "After it."


async def test_a_voice_that_is_not_there_is_told_and_captions_go_on() -> None:
    class Missing(ScriptedSynthesizer):
        ready = False

        async def start(self) -> None:
            raise MissingPart("The voice 'melo' needs weights.")

    call = Call(respond(1, "A dog came in."), synthesizer=Missing())
    await call.run(4)
    assert (
        call.spoken() == [("A dog came in.", False)]
        and "The voice scripted cannot be used. The voice 'melo' needs weights." in call.notices()
    )


class BrokenEar(LoudnessEar):
    """Hears 60 windows, then fails for good."""

    count = 0

    async def listen(self, near: Pcm, far: Pcm, turn: bool) -> list[Sound]:
        self.count += near.size // WINDOW
        if self.count > 60:
            raise RuntimeError("driver")
        return await super().listen(near, far, turn)


async def test_an_ear_that_fails_in_the_middle_of_a_turn_frees_the_floor() -> None:
    class Detector(LoudnessDetector):
        def open(self) -> LoudnessEar:
            return BrokenEar()

    call = Call(respond(4, "Still here."), said=((1.0, 30.0, "A monologue"),), detector=Detector())
    await call.run(12)
    assert ("Still here.", False) in call.spoken() or ("Still here.", True) in call.spoken()
    assert any("microphone is not heard" in text for text in call.notices()) and len(call.of(Decided)) >= 12


@pytest.mark.parametrize(
    "fault", [ProviderFailed("It is off."), RuntimeError("bug"), "\x00\ufffd", "the the the the the the the the the"]
)
async def test_a_transcriber_that_fails_or_talks_garbage_is_told_and_the_watch_goes_on(fault: Exception | str) -> None:
    class Faulty(ScriptedTranscriber):
        async def transcribe(self, speech: AudioChunk, language: str) -> str:
            if isinstance(fault, Exception):
                raise fault
            return fault

    call = Call(respond(5, "Still here."), said=((1.0, 1.0, "x"),), transcriber=Faulty())
    await call.run(9)
    assert not call.of(Heard) and call.spoken() == [("Still here.", False)]
    assert bool([text for text in call.notices() if "typing works" in text]) is isinstance(fault, Exception)


async def test_a_transcriber_that_keeps_failing_is_left_alone_for_a_while() -> None:
    calls = 0

    class Faulty(ScriptedTranscriber):
        quick = False

        async def transcribe(self, speech: AudioChunk, language: str) -> str:
            nonlocal calls
            calls += 1
            raise ProviderFailed("It is off.")

    call = Call(said=tuple((float(t), 0.8, "x") for t in range(1, 60, 3)), transcriber=Faulty())
    await call.run(62)
    assert calls <= 2 * 3 and len(call.notices()) == 2


async def test_pause_in_the_middle_of_a_turn_forgets_it() -> None:
    call = Call(said=((1.0, 4.0, "Not for you."), (8.0, 0.8, "What is that?")))
    await call.run(11, (2.0, lambda session: session.pause()), (6.0, lambda session: session.resume()))
    assert [event.text for event in call.of(Heard)] == ["What is that?"]
    assert call.states()[-2:] == ["watching", "stopped"] and "paused" in call.states()


async def test_what_is_being_read_when_pause_is_pressed_is_not_obeyed() -> None:
    class Slow(ScriptedTranscriber):
        quick = False

        async def transcribe(self, speech: AudioChunk, language: str) -> str:
            await call.clock.sleep_until(call.clock.now() + 2)
            return "Tell me when a dog appears."

    call = Call(said=((1.0, 1.0, "x"),), transcriber=Slow())
    await call.run(9, (3.0, lambda session: session.pause()), (6.0, lambda session: session.resume()))
    assert not call.of(Heard) and [event.text for event in call.of(Instruction)] == ["watch"]


async def test_a_transcriber_that_takes_for_ever_does_not_keep_the_floor() -> None:
    class Loading(ScriptedTranscriber):
        async def transcribe(self, speech: AudioChunk, language: str) -> str:
            await asyncio.Event().wait()
            return ""

    call = Call(respond(9, "A dog came in."), said=((1.0, 1.0, "x"),), transcriber=Loading())
    await call.run(14)
    assert call.spoken() == [("A dog came in.", False)] and call.states()[-2] == "watching"


async def test_the_reply_waits_for_the_decision_on_the_question_not_for_the_one_before() -> None:
    steps = (Step(3.0, Respond("A car drove by.", 0.9), seconds=0.9), Step(3.5, Respond("It is a cat.", 0.9), seconds=0.2))
    call = Call(*steps, said=((1.5, 1.2, "What is that?"),), synthesizer=ScriptedSynthesizer(0.05))
    await call.run(9)
    assert [event.text for event in call.of(Spoken)] == ["It is a cat.", "A car drove by."]


async def test_be_quiet_is_final() -> None:
    """What was cut on demand does not come back, not even when something is later taken for its own voice."""
    call = Call(respond(1, LONG), said=((3.0, 0.6, "Be quiet."),))
    await call.run(12, (8.0, lambda session: session.voice._speech.resume()))
    assert call.spoken() == [(LONG, True)]


async def test_the_record_of_what_was_played_keeps_up_with_a_microphone_that_comes_and_goes() -> None:
    playout = Playout()
    playout.played(512)
    for _ in range(1_500):
        playout.frame()  # half a minute without a microphone
    playout.put(AudioChunk(0, 24_000, np.full(2_400, 9_000, np.int16)), 1.0)
    record = [playout.played(320) for _ in (playout.frame() for _ in range(40))]
    assert next(n for n, part in enumerate(record) if np.abs(part).max() > 1_000) <= 0.35 / 0.02


async def test_a_cancelled_call_is_not_the_next_callers_fault() -> None:
    model = Model("engine", RealClock(), lambda: "ready")
    slow = asyncio.create_task(model.run(lambda name: time.sleep(0.8), 5))
    await asyncio.sleep(0.2)
    slow.cancel()
    assert await model.run(lambda name: name, 0.4) == "ready"
    model.close()


async def test_a_microphone_that_vanishes_ends_the_turn() -> None:
    call = Call(said=((1.0, 30.0, "What is that?"),), speech_seconds=60)
    chunks: Callable[[AudioChunk], None] = call.session.voice.listen

    def until_it_is_gone(chunk: AudioChunk) -> None:
        if call.clock.now() < 4:
            chunks(chunk)

    call.session.voice.listen = until_it_is_gone  # type: ignore[method-assign]
    lines = [Transcript("What is that?", 1.0, 3.0)]
    call.session.voice._microphone._transcriber = ScriptedTranscriber(lines)  # type: ignore[union-attr]
    await call.run(8)
    (heard,) = call.of(Heard)
    assert heard.t == pytest.approx(5.0, abs=0.2)


async def test_a_released_key_ends_the_turn_without_the_long_silence() -> None:
    call = Call(said=((1.0, 1.0, "What is that?"),), controls=Controls("watch", endpoint=3.0))
    await call.run(8, (2.0, lambda session: session.voice.finish_turn()))
    assert call.of(Heard)[0].t == pytest.approx(2.3, abs=0.1)


async def test_a_monologue_is_read_in_pieces_and_bounded() -> None:
    call = Call(said=((1.0, 90.0, ""),), transcriber=ScriptedTranscriber())
    await call.run(95)
    turns = call.of(Heard)
    assert 5 <= len(turns) <= 6 and all(turn.t_end - turn.t_start <= 20 for turn in turns)


async def test_odd_sound_does_no_harm() -> None:
    call = Call(respond(8, "Still here."))
    nothing, square = np.zeros(0, np.int16), np.tile(np.array([32_767, -32_768], np.int16), 4_000)
    odd = [AudioChunk(1, 48_000, nothing), AudioChunk(1, 8_000, square), AudioChunk(1, 44_100, np.zeros((2, 441), np.int16)),
           AudioChunk(1, 16_000, np.full(160, np.nan, np.float32)), AudioChunk(1, 16_000, np.full((160, 2), np.inf))]  # fmt: skip
    await call.run(12, *((1.0 + n / 10, lambda session, chunk=chunk: session.voice.listen(chunk)) for n, chunk in enumerate(odd)))
    assert call.spoken() == [("Still here.", False)]


async def test_the_browsers_own_voice_keeps_the_floor_until_the_page_says_it_is_done() -> None:
    call = Call(respond(1, "A dog came in on the left."), respond(2, "And a cat."), synthesizer=BrowserSynthesizer())
    await call.run(
        6, (1.8, lambda session: session.voice.ended_elsewhere(7)), (2.2, lambda session: session.voice.ended_elsewhere(1))
    )
    first, second = call.of(Spoken)
    assert first.t_end == pytest.approx(2.2) and second.t_start == pytest.approx(2.2) and not first.cut
    saying = [event for event in call.seen(Saying) if isinstance(event, Saying)]
    assert [(event.voice, event.number) for event in saying] == [("browser", 1), ("browser", 2)]
    assert call.room.first_sound(0) is None


async def test_words_are_shown_while_they_are_spoken() -> None:
    call = Call(said=((1.0, 6.0, "A long story about a dog."),))
    await call.run(10)
    captions = [event.text for event in call.seen(Hearing) if isinstance(event, Hearing)]
    assert "A long story about a dog." in captions and captions[-1] == ""


# --- the parts --------------------------------------------------------------------------------------------------------


def _turns(sounds: str, silence: float = 0.3, longest: float = 10.0) -> list[object]:
    """`v`: voiced speech, `u`: speech without a pitch, `.`: silence; a sign a window."""
    kinds = {"v": Sound(0.9, True), "u": Sound(0.9, False), ".": Sound(0.1, False)}
    ear, window = Endpointer(longest), np.zeros(WINDOW, np.int16)
    taken = [ear.take((n + 1) * STEP, window, kinds[sign], silence) for n, sign in enumerate(sounds)]
    return [turn for turn in taken if turn is not None]


def test_a_turn_begins_with_voiced_speech_and_ends_with_silence() -> None:
    began, paused, ended = _turns("....uvvvvv" + "." * 12)
    assert isinstance(began, Began) and began.t == pytest.approx(4 * STEP)
    assert isinstance(paused, Paused) and isinstance(ended, Ended) and ended.quiet == pytest.approx(10 * STEP)
    assert ended.speech.t == 0.0, "soft first sounds belong to it"


@pytest.mark.parametrize("sounds", ["....uuuuuuu.....", "..v...v...v...v..", "..uu.uu.v.uu...", "." * 40])
def test_coughs_clicks_and_silence_begin_nothing(sounds: str) -> None:
    assert _turns(sounds) == []


def test_an_overlong_turn_is_cut_where_it_is_quietest() -> None:
    turns = [turn for turn in _turns("v" * 300 + "." * 12, longest=4.0) if isinstance(turn, Ended)]
    assert [turn.over for turn in turns] == [False, False, True] and sum(turn.speech.seconds for turn in turns) >= 300 * STEP


def test_sound_of_every_kind_becomes_one_kind() -> None:
    assert pcm(np.array([2.0, -2.0, np.nan, np.inf])).tolist() == [32_767, -32_767, 0, 0]
    assert pcm(np.array([[1_000, 3_000]], np.int16)).tolist() == [1_000, 3_000]
    assert pcm(np.array([[1_000, 2_000, 3_000], [3_000, 2_000, 1_000]], np.int16)).tolist() == [2_000, 2_000, 2_000]
    down = Resampler(HEARD_RATE)
    total = sum(down.take(np.zeros(960, np.int16), 48_000).size for _ in range(100))
    assert total == pytest.approx(32_000, abs=400)


def test_sentences_are_spoken_in_pieces() -> None:
    assert pieces("Dr. Smith came in. He waved! 有人来了。他走了") == ["Dr. Smith came in.", "He waved!", "有人来了。", "他走了"]
    assert pieces("a" * 70 + ", and then, the rest") == ["a" * 70 + ",", "and then, the rest"]
    assert rest_of("one two three four", 0.5) == "three four" and rest_of("一二三四", 0.5) == "三四"
    assert pieces("  ") == []


def test_a_transcript_is_one_line_of_words() -> None:
    assert sentence(" Hello\x00\n there ") == "Hello there" and sentence("...") == "" and len(sentence("ab " * 5_000)) <= 2_000
    assert sentence("no no no no no no no no no no no no") == "" and sentence("No, no, no!") == "No, no, no!"


@pytest.mark.parametrize(
    ("heard", "said", "rest"),
    [
        ("someone came in on the left", "Someone came in on the left.", ""),
        ("came in on the left what is that", "Someone came in on the left.", "what is that"),
        ("What is that?", "Someone came in on the left.", "What is that?"),
        ("Tell me when the man at the door leaves.", "There is a man at the door.", "Tell me when the man at the door leaves."),
        ("Why are three people on the lawn at night?", "Three people on the lawn.", "Why are three people on the lawn at night?"),
        ("the left", "Someone came in on the left.", ""),
        ("有人来了", "有人来了。", ""),
    ],
)
def test_its_own_words_are_not_the_users(heard: str, said: str, rest: str) -> None:
    assert without_own(heard, said, 2.0) == rest


@pytest.mark.parametrize(
    ("intent", "texts"),
    [
        ("quiet", "Be quiet, please.|Can you be quiet?|Stop talking now.|Stop speaking.|请安静|安静一点|不要说了|shut up"),
        ("stop", "Stop, stop, stop.|No, stop.|请停下|别再提醒我了|OK stop now thanks|never mind|取消吧"),
        ("repeat", "What did you just say?|Say it again|Could you say that again?|再说一遍|Pardon me?"),
        ("continue", "Go on.|Continue.|继续说"),
        ("louder", "Speak up please|a bit louder|大声一点"),
        ("slower", "Slow down.|Please speak more slowly.|慢一点"),
        ("less", "Speak less often.|You talk too much|少说话"),
        ("ask", "In a minute.|If you say so.|When I was young I had a dog.|Every day is the same.|Welcome back.|Don't stop.|"
         "Say it.|I can't tell if it works.|I'll tell you when I get back.|Warning signs everywhere.|"
         "Is it quiet?|Stop sign ahead|当然可以|数学很难|每天都这样|他后来告诉我他不来|"
         "Continue counting the cars|Repeat after me"),
        ("replace", "If a dog appears, warn me.|In 30 seconds remind me of the pizza.|"
         "Do not say anything until the price appears|When you see a cat say 'hello kitty'.|30秒后提醒我"),
    ],
)  # fmt: skip
def test_what_is_said_is_taken_for_what_it_is(intent: str, texts: str) -> None:
    assert [text for text in texts.split("|") if classify(text).value != intent] == []
