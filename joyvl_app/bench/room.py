"""A room with a person, a microphone and a loudspeaker, in samples: for the benchmark of the voice and for tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from joyvl_app.audio import HEARD_RATE, SPOKEN_RATE, resampled
from joyvl_app.domain import AudioChunk, Pcm
from joyvl_app.playout import FRAME, FRAME_SECONDS
from joyvl_app.ports import Clock
from joyvl_app.voice import Voice

_STEP = int(HEARD_RATE * FRAME_SECONDS)
_KEPT = 3_000  # a minute of speech
_PAUSE = 0.4  # seconds without sound inside a sentence at most
_LOUD = 200  # a sample that is meant to be heard


class Room:
    """`said` is what the person says: (second, samples at 16 kHz). `echo` of the loudspeaker comes back after `delay` seconds.

    `played` keeps what the loudspeaker was sent (24 kHz), from second 0 of the room on, when `keeps` is set.
    """

    def __init__(self, voice: Voice, clock: Clock, said: Sequence[tuple[float, Pcm]] = (), echo: float = 0.0, delay: float = 0.15,
                 noise: float = 20.0, keeps: bool = True) -> None:  # fmt: skip
        self._voice, self._clock, self._echo, self._noise, self._keeps = voice, clock, echo, noise, keeps
        self._said = sorted(said, key=lambda item: item[0])
        self._air: list[Pcm] = [np.zeros(_STEP, np.int16)] * round(delay / FRAME_SECONDS)
        self._random = np.random.default_rng(7)
        self.played: list[Pcm] = []
        self.began = 0.0
        self.sounded: deque[float] = deque(maxlen=_KEPT)  # when the loudspeaker was sent anything loud

    def say(self, t: float, samples: Pcm) -> None:
        """The person says this too, at second `t` of the room."""
        self._said.append((t, samples))

    async def live(self) -> None:
        """20 ms after 20 ms, until cancelled."""
        self.began = self._clock.now()
        step = 0
        while True:
            step += 1
            await self._clock.sleep_until(self.began + step * FRAME_SECONDS)
            frame = self._voice.playout.frame()
            if np.abs(frame).max(initial=0) > _LOUD:
                self.sounded.append(self._clock.now())
            if self._keeps:
                self.played.append(frame)
            self._air.append(resampled(frame, SPOKEN_RATE, HEARD_RATE)[:_STEP])
            heard = self._microphone(step - 1, self._air.pop(0))
            self._voice.listen(AudioChunk(self._clock.now() - FRAME_SECONDS, HEARD_RATE, heard))

    def first_sound(self, since: float) -> float | None:
        """When the loudspeaker first sounded after that."""
        return next((t for t in self.sounded if t >= since), None)

    def silent_from(self, since: float) -> float:
        """When what sounded at `since` came to its end."""
        last = since
        for t in self.sounded:
            if last <= t <= last + _PAUSE:
                last = t
        return last

    def sound(self) -> Pcm:
        """All that was played, 24 kHz."""
        return np.concatenate(self.played) if self.played else np.zeros(FRAME, np.int16)

    def _microphone(self, step: int, echo: Pcm) -> Pcm:
        sound = self._random.normal(0, self._noise, _STEP) + self._echo * np.pad(echo, (0, _STEP - echo.size))
        start = step * _STEP
        for t, samples in self._said:
            first = round(t * HEARD_RATE)
            if first < start + _STEP and start < first + samples.size:
                part = samples[max(0, start - first) : max(0, start + _STEP - first)]
                at = max(0, first - start)
                sound[at : at + part.size] += part
        taken: Pcm = np.clip(sound, -32_768, 32_767).astype(np.int16)
        return taken
