"""A room in samples with the real ear, transcriber and voice: its own voice from the loudspeaker, and people over it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from joyvl_app.asr.moonshine import MoonshineTranscriber
from joyvl_app.asr.silero import SileroDetector
from joyvl_app.audio import HEARD_RATE
from joyvl_app.bench.room import Room
from joyvl_app.clock import ManualClock
from joyvl_app.domain import Pcm
from joyvl_app.events import Heard, Spoken, State
from joyvl_app.tts.hibari import HibariSynthesizer
from tests.speech import person, reading, sentence
from tests.support import Bench

TEXT = (
    "Someone came in on the left and walks slowly across the lawn. There are three people now, and one of them carries a red bag."
)
QUESTION = "How many people are there?"


class Hall(Bench):
    """A session with real ears and a real voice in a room whose loudspeaker comes back by `echo`, `delay` seconds later."""

    def __init__(self, said: list[tuple[float, Pcm]], echo: float = 0.0, delay: float = 0.15) -> None:
        clock = ManualClock(charge=False)
        self.voice = HibariSynthesizer(clock, 5)
        super().__init__(
            voices=(self.voice,), transcriber=MoonshineTranscriber(clock, 15), detector=SileroDetector(clock), clock=clock
        )
        self.room = Room(self.session.voice, clock, said, echo, delay)

    async def _feed(self) -> None:
        await self.clock.timed(self.voice.start())
        async with asyncio.TaskGroup() as group:
            group.create_task(super()._feed())
            group.create_task(self.room.live())

    async def saying(self, seconds: float, *times: float) -> None:
        """The assistant says its text at these seconds."""
        await self.run(seconds, *((t, lambda session: session.voice.say(TEXT, session.clock.now())) for t in times))

    def words(self) -> list[str]:
        return [event.text for event in self.of(Heard)]


@pytest.mark.parametrize(("echo", "delay"), [(0.5, 0.1), (0.05, 0.3)])
async def test_its_own_voice_from_the_loudspeaker_is_not_heard(echo: float, delay: float) -> None:
    hall = Hall([], echo, delay)
    await hall.saying(20, 1, 11)
    assert hall.words() == [] and [event.cut for event in hall.of(Spoken)] == [False, False]
    assert "listening" not in [state.name for state in hall.of(State)]
    assert "came in on the left" in reading(hall.room.sound()).lower()


@pytest.mark.parametrize("echo", [0.0, 0.15])
async def test_a_person_who_speaks_over_it_is_heard_and_it_falls_silent(echo: float) -> None:
    """Two seconds into its second sentence; it has learned the room from the first."""
    question = sentence(QUESTION)
    hall = Hall([(15.0, question)], echo)
    await hall.saying(22, 1, 11)
    assert [event.cut for event in hall.of(Spoken)] == [False, True]
    onset = 15.0 + np.flatnonzero(np.abs(question.astype(np.int32)) > 1_500)[0] / HEARD_RATE
    assert hall.room.silent_from(onset) - onset <= 0.3
    (words,) = hall.words()
    assert "many people are there" in words.lower()


async def test_a_person_in_a_quiet_room_is_understood() -> None:
    hall = Hall([(1.0, person("librivox-0880")), (7.0, person("cards-005"))])
    await hall.saying(15)
    first, second = hall.of(Heard)
    assert first.text.lower().rstrip(".").startswith("he was not an ill") and "seven of hearts" in second.text.lower()
    assert 1.0 <= first.t_start <= 1.5 and first.t - first.t_end <= 0.9


def _music(seconds: float) -> Pcm:
    t = np.arange(int(seconds * HEARD_RATE)) / HEARD_RATE
    chords = [(220, 277, 330), (196, 247, 294), (175, 220, 262)]
    tones = [np.sin(2 * np.pi * pitch * t) * np.exp(-(t % 0.5) * 3) for chord in chords for pitch in chord]
    music: Pcm = (np.mean(tones, axis=0) * 20_000).astype(np.int16)
    return music


def _cough() -> Pcm:
    t = np.arange(int(0.35 * HEARD_RATE)) / HEARD_RATE
    return (np.random.default_rng(5).normal(0, 9_000, t.size) * np.exp(-t * 14)).clip(-32_768, 32_767).astype(np.int16)


async def test_silence_music_and_coughs_say_nothing_and_stop_nobody() -> None:
    hall = Hall([(2.0, _cough()), (3.5, _cough()), (10.0, _music(5))])
    await hall.saying(17, 1)
    assert hall.words() == [] and [event.cut for event in hall.of(Spoken)] == [False]


def _telephone(samples: Pcm) -> Pcm:
    """Through 8 kHz and back."""
    return np.repeat(samples[::2], 2)


async def test_telephones_clipping_and_two_at_once_are_survived() -> None:
    question = sentence(QUESTION)
    loud = (question.astype(np.int32) * 30).clip(-32_768, 32_767).astype(np.int16)
    both = person("librivox-0930")
    hall = Hall([(1.0, _telephone(question)), (5.0, loud), (9.0, question), (9.0, both)])
    await hall.saying(16)
    assert "many people" in hall.words()[0].lower() and "many people" in hall.words()[1].lower() and len(hall.words()) >= 3
