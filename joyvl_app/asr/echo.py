"""The assistant's own voice in the microphone: WebRTC's echo canceller, and whether there is any echo to cancel.

Browsers cancel echo themselves, and with headphones there is none; cancelling what is not there eats the user's first words.
So the canceller's word counts only as long as the plain microphone hears speech whenever the assistant speaks.
"""

from __future__ import annotations

import numpy as np
from livekit.rtc import AudioFrame, AudioProcessingModule

from joyvl_app.audio import HEARD_RATE, WINDOW
from joyvl_app.domain import Pcm

_STEP = HEARD_RATE // 100  # the canceller takes 10 ms at a time
_TAIL = round(1.0 * HEARD_RATE / WINDOW)  # windows for which an echo may follow its sound
_FORGET, _LEARN = 0.97, 0.15  # a window without, and with speech that comes back
_AT_FIRST, _LEAKS = 0.3, 0.08


class Echo:
    """For one session: `far` is what was played, `near` what the microphone took."""

    def __init__(self) -> None:
        self._canceller: AudioProcessingModule | None = None
        self._since = _TAIL
        self._leak = _AT_FIRST  # how much speaks for an echo; believed to be there until nothing is heard of it for 1.5 s
        self._near: Pcm = np.zeros(0, np.int16)  # less than a step
        self._far: Pcm = np.zeros(0, np.int16)
        self._clean: Pcm = np.zeros(_STEP, np.int16)  # so that there is always enough to give

    def possible(self, far: Pcm) -> bool:
        """Whether anything was played of late."""
        self._since = 0 if np.abs(far).max(initial=0) > 30 else self._since + 1
        return self._since < _TAIL

    @property
    def at_work(self) -> bool:
        """Since the first thing that was played: a canceller that misses a stretch has to find its way anew."""
        return self._canceller is not None

    @property
    def leaks(self) -> bool:
        return self._leak > _LEAKS

    def learn(self, heard_plainly: bool) -> None:
        """While the assistant speaks and nobody else seems to: whether the microphone, without the canceller, hears speech."""
        if self._since == 0:
            self._leak = self._leak + _LEARN * (1 - self._leak) if heard_plainly else _FORGET * self._leak

    def mistaken(self) -> None:
        self._leak = 1.0

    def cancel(self, near: Pcm, far: Pcm) -> Pcm:
        """As many samples as `near` has, without what `far` explains, 10 ms late."""
        if self._canceller is None:  # made when it is first needed: it costs 40 MB
            self._canceller = AudioProcessingModule(echo_cancellation=True, high_pass_filter=True)
        near, far = np.concatenate([self._near, near]), np.concatenate([self._far, far])
        whole = near.size // _STEP * _STEP
        steps = [self._step(near[at : at + _STEP], far[at : at + _STEP]) for at in range(0, whole, _STEP)]
        clean = np.concatenate([self._clean, *steps])
        wanted = near.size - self._near.size
        self._near, self._far, self._clean = near[whole:], far[whole:], clean[wanted:]
        return clean[:wanted]

    def _step(self, near: Pcm, far: Pcm) -> Pcm:
        assert self._canceller is not None
        self._canceller.process_reverse_stream(_frame(far))
        self._canceller.set_stream_delay_ms(0)
        frame = _frame(near)
        self._canceller.process_stream(frame)
        return np.frombuffer(bytes(frame.data), np.int16)


def _frame(samples: Pcm) -> AudioFrame:
    return AudioFrame(bytearray(samples.tobytes()), HEARD_RATE, 1, samples.size)
