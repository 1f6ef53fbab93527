"""A conversation in real time: questions asked aloud, answers interrupted, while the embedded decider watches a moving clip."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from joyvl_app.audio import HEARD_RATE, SPOKEN_RATE, WINDOW, is_voiced, pcm, resampled
from joyvl_app.bench.room import Room
from joyvl_app.build import build_providers
from joyvl_app.clock import RealClock
from joyvl_app.domain import Frame, Pcm
from joyvl_app.event_log import EventLog
from joyvl_app.events import Event, Heard, Hearing, Saying
from joyvl_app.memory.memories import Visit
from joyvl_app.parts import Controls
from joyvl_app.session import Session
from joyvl_app.settings import Settings
from joyvl_app.sources import VideoSource

_CLIP = Path(__file__).resolve().parent.parent.parent / "assets" / "clips" / "security.mp4"
# The last one is an utterance of about five seconds.
_QUESTIONS = (
    "How many people are there?",
    "What do you see?",
    "Please have a good look at the lawn once more and then tell me, how many people are there now?",
)
_BARGE_IN = "Wait a moment, I meant something else."
_ROUNDS, _READINGS = 18, 8
_ENDPOINT = 0.6  # seconds of silence, as the scenarios have it
_BEFORE_BARGE_IN, _AFTER_IT = 0.4, 4.5  # seconds
_PATIENCE = 20.0
E_co = TypeVar("E_co", bound=Event)
T = TypeVar("T")


async def conversation() -> dict[str, float]:
    """Voiced onset of an interruption → last sound sent; the endpoint's silence → first answer audio; and how soon words are read
    while the decider works on the same cores, and while it does not.
    """
    questions = itertools.islice(itertools.cycle(_QUESTIONS), _ROUNDS)
    rounds = await _held("embedded", lambda talk: [talk.round(question) for question in questions])
    alone = await _held("silent", lambda talk: [talk.reading(_QUESTIONS[-1]) for _ in range(_READINGS)])
    busy, answered, silent = (np.sort(column) for column in zip(*rounds, strict=True))
    print(f"words read, seconds after the end of five seconds of speech: {np.round(np.sort(alone), 2)}")
    print(f"words read while the decider works: {np.round(busy, 2)}")
    print(f"answer sounds, seconds after the endpoint: {np.round(answered, 2)}")
    print(f"silent, seconds after the user begins: {np.round(silent, 2)}")
    return {
        "transcript_p95_ms": float(np.percentile(alone, 95)) * 1000,
        "transcript_busy_p95_ms": float(np.percentile(busy, 95)) * 1000,
        "answer_p95_s": float(np.percentile(answered, 95)),
        "barge_in_p95_ms": float(np.percentile(silent, 95)) * 1000,
    }


async def _held(decider: str, rounds: Callable[[_Talk], list[Coroutine[Any, Any, T]]]) -> list[T]:
    """What the rounds of a conversation with this decider gave."""
    clock, settings = RealClock(), Settings.model_validate({"decider": decider, "synthesizer": "hibari"})
    providers = build_providers(settings, clock)
    voices = providers.voices.chain()[:1]
    await providers.decider.start()
    await voices[0].start()
    controls = Controls("Tell me when a dog appears.", endpoint=_ENDPOINT)
    visit = Visit("bench", "local", "call", "bench", decider)
    session = Session("bench", providers.parts(settings, controls, visit, voices), controls, clock, EventLog(), settings)
    talk = _Talk(session, clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(session.run())
        await session.ready.wait()
        beside = [group.create_task(work) for work in (_pictures(session, clock), talk.room.live(), talk.listen())]
        await asyncio.sleep(2)
        results = [await each for each in rounds(talk)]
        session.stop()
        await running
        for task in beside:
            task.cancel()
    await providers.aclose()
    return results


class _Talk:
    """One person in the room, and what the session was seen to do."""

    def __init__(self, session: Session, clock: RealClock) -> None:
        self._session, self._clock = session, clock
        self.room = Room(session.voice, clock, echo=0.05, keeps=False)
        self._events: list[Event] = []
        self._ended = 0.0  # the last question

    async def listen(self) -> None:
        queue = self._session.log.listen()
        while (item := await queue.get()) is not None:
            self._events.append(item[1])

    async def reading(self, question: str) -> float:
        """Seconds from the end of the question until all its words were read."""
        self._events.clear()
        ended = self._say(question) + _last_sound(sentence(question))
        heard = await self._until(lambda: self._first(Heard, ended))
        words = self._first(Hearing, ended, lambda event: bool(event.text)) or heard  # read ahead of the endpoint, mostly
        self._ended = ended
        return float(words.t - ended)

    async def round(self, question: str) -> tuple[float, float, float]:
        """Words read after …, answer after …, silent after … seconds."""
        read = await self.reading(question)
        heard = next(event for event in self._events if isinstance(event, Heard))
        saying = await self._until(lambda: self._first(Saying, heard.t))
        answered = await self._until(lambda: self.room.first_sound(saying.t))
        await asyncio.sleep(_BEFORE_BARGE_IN)
        onset = self._say(_BARGE_IN) + _voiced_onset(sentence(_BARGE_IN))
        await asyncio.sleep(_AFTER_IT)
        return read, answered - (self._ended + _ENDPOINT), self.room.silent_from(onset) - onset

    def _say(self, text: str) -> float:
        """The person begins in a moment; returns when."""
        t = self._clock.now() - self.room.began + 0.1
        self.room.say(t, sentence(text))
        return self.room.began + t

    def _first(self, kind: type[E_co], since: float, fits: Callable[[Any], bool] = lambda event: True) -> E_co | None:
        return next((event for event in self._events if isinstance(event, kind) and event.t >= since and fits(event)), None)

    async def _until(self, seen: Callable[[], Any]) -> Any:
        end = self._clock.now() + _PATIENCE
        while (found := seen()) is None and self._clock.now() < end:
            await self._clock.sleep_until(self._clock.now() + 0.005)
        assert found is not None, f"nothing came within {_PATIENCE:.0f} seconds"
        return found


@cache
def _voice() -> Any:
    from hibari import Hibari

    return Hibari()


@cache
def sentence(text: str) -> Pcm:
    """The sentence in the embedded voice, 16 kHz."""
    return resampled(pcm(_voice()(text, seed=0)), SPOKEN_RATE, HEARD_RATE)


def _last_sound(samples: Pcm) -> float:
    """Seconds to the last sample that is more than breath."""
    return float(np.flatnonzero(np.abs(samples.astype(np.int32)) > 0.02 * 32_768)[-1] / HEARD_RATE)


def _voiced_onset(samples: Pcm) -> float:
    """Seconds to the first window that is loud and has a pitch."""
    loud = 0.1 * np.abs(samples.astype(np.int32)).max()
    windows = ((start, samples[start : start + WINDOW]) for start in range(0, samples.size - WINDOW, WINDOW // 4))
    return next(start for start, window in windows if np.abs(window).max() > loud and is_voiced(window)) / HEARD_RATE


async def _pictures(session: Session, clock: RealClock) -> None:
    looks = [frame.image async for frame in VideoSource(_CLIP, 8, 640).frames()]
    for image in itertools.cycle(looks):
        session.see(Frame(clock.now(), image))
        await clock.sleep_until(clock.now() + 0.125)
