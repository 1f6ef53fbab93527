"""What the loudspeaker is sent, 20 ms at a time: speech where there is some, silence in between, and a record of both."""

from __future__ import annotations

from collections import deque

import numpy as np

from joyvl_app.audio import HEARD_RATE, SPOKEN_RATE, Resampler, resampled
from joyvl_app.domain import AudioChunk, Pcm

FRAME_SECONDS = 0.02
FRAME = int(SPOKEN_RATE * FRAME_SECONDS)  # samples
_RECORD = 5 * HEARD_RATE  # samples of the record waiting to be compared
_JITTER = 0.3  # seconds by which microphone and loudspeaker may be apart
_STUCK = 1.0  # seconds of an earlier sentence still waiting when the next begins
_NOTHING: Pcm = np.zeros(0, np.int16)


class Playout:
    """Bounded by whoever speaks, who waits for the end of what was put before."""

    def __init__(self) -> None:
        self._waiting: deque[Pcm] = deque()
        self._record = _NOTHING
        self._down = Resampler(HEARD_RATE)
        self.listened = False  # whether anybody compares the record

    @property
    def seconds(self) -> float:
        """What is waiting to be played."""
        return sum(samples.size for samples in self._waiting) / SPOKEN_RATE

    def put(self, chunk: AudioChunk, volume: float) -> None:
        samples = resampled(chunk.samples, chunk.rate, SPOKEN_RATE)
        if volume != 1.0:
            samples = np.clip(samples * volume, -32_768, 32_767).astype(np.int16)
        self._waiting.append(samples)

    def make_room(self) -> None:
        """Forget what nobody takes: the page may have no loudspeaker."""
        if self.seconds > _STUCK:
            self.clear()

    def clear(self) -> None:
        self._waiting.clear()

    def frame(self) -> Pcm:
        """The next FRAME samples, zeros where there is nothing to say."""
        parts, missing = [], FRAME
        while missing and self._waiting:
            head = self._waiting.popleft()
            parts.append(head[:missing])
            if head.size > missing:
                self._waiting.appendleft(head[missing:])
            missing -= parts[-1].size
        frame = np.concatenate([*parts, np.zeros(missing, np.int16)])
        if self.listened:
            self._record = np.concatenate([self._record, self._down.take(frame, SPOKEN_RATE)])[-_RECORD:]
        return frame

    def played(self, samples: int, waiting: float = 0.0) -> Pcm:
        """The oldest so many samples (16 kHz) of what was played since the last call, zeros where it was less.

        `waiting` seconds of the microphone will be asked about yet; what was played longer ago than that belongs to no sample.
        """
        self.listened = True
        self._record = self._record[-(samples + int((waiting + _JITTER) * HEARD_RATE)) :]
        part, self._record = self._record[:samples], self._record[samples:]
        return np.concatenate([part, np.zeros(samples - part.size, np.int16)])
