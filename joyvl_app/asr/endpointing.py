"""Where a turn begins and ends, from windows of 32 ms: voiced speech begins it, silence ends it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from joyvl_app.audio import HEARD_RATE, WINDOW
from joyvl_app.domain import AudioChunk, Pcm, Sound

STEP = WINDOW / HEARD_RATE  # seconds
PAUSE = 0.064  # seconds of silence after which the words so far are worth reading
_SPEECH, _STILL_SPEECH = 0.5, 0.35
_LOOK, _LOUD, _VOICED = 4, 3, 2  # of the last so many windows, so many hold speech and so many have a pitch
_BEFORE = 10  # windows kept from before the beginning: soft first sounds belong to it
_CUT_BACK = 3.0  # seconds in which an overlong turn is cut, where it is quietest


@dataclass(frozen=True)
class Began:
    """Somebody speaks since `t`."""

    t: float


@dataclass(frozen=True, eq=False)
class Paused:
    """`speech` so far; it may go on."""

    speech: AudioChunk


@dataclass(frozen=True, eq=False)
class Ended:
    """The whole `speech`, the last `quiet` seconds of it silence. `over` is false when it was only cut for its length,
    `foreign` when there is more in it than may come back of the assistant's own voice.
    """

    speech: AudioChunk
    quiet: float = 0.0
    over: bool = True
    foreign: bool = True


Turn = Began | Paused | Ended


class Endpointer:
    """Takes windows in order; `silence` seconds end a turn, and `longest` seconds cut it."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._before: deque[Pcm] = deque(maxlen=_BEFORE)
        self._last: deque[Sound] = deque(maxlen=_LOOK)
        self._speech: list[tuple[Pcm, float]] = []
        self._quiet, self._t, self._foreign = 0, 0.0, False

    @property
    def speaking(self) -> bool:
        return bool(self._speech)

    def take(self, t: float, window: Pcm, sound: Sound, silence: float) -> Turn | None:
        """`t` is the end of the window."""
        self._last.append(sound)
        if not self._speech:
            self._before.append(window)
            return self._begin(t) if self._is_beginning() else None
        self._speech.append((window, sound.p_speech))
        self._foreign = self._foreign or (sound.foreign and sound.p_speech >= _SPEECH)
        self._quiet = 0 if sound.p_speech >= _STILL_SPEECH else self._quiet + 1
        if self._quiet * STEP >= silence:
            return self.finish()
        if len(self._speech) * STEP >= self._longest:
            return self._cut()
        return Paused(self.so_far()) if self._quiet == round(PAUSE / STEP) else None

    def so_far(self) -> AudioChunk:
        """The turn under way."""
        return self._chunk(len(self._speech))

    def finish(self) -> Ended | None:
        """End the turn now: the key was released, or the microphone has gone."""
        if not self._speech:
            return None
        ended = Ended(self.so_far(), self._quiet * STEP, foreign=self._foreign)
        self._speech, self._quiet = [], 0
        self._last.clear()
        return ended

    def _is_beginning(self) -> bool:
        loud = sum(sound.p_speech >= _SPEECH for sound in self._last)
        return loud >= _LOUD and sum(sound.voiced and sound.p_speech >= _SPEECH for sound in self._last) >= _VOICED

    def _begin(self, t: float) -> Began:
        since = next(n for n, sound in enumerate(self._last) if sound.p_speech >= _SPEECH)
        self._t = t - len(self._before) * STEP
        self._foreign = any(sound.foreign and sound.p_speech >= _SPEECH for sound in self._last)
        self._speech = [(window, 1.0) for window in self._before]
        self._before.clear()
        return Began(t - (len(self._last) - since) * STEP)

    def _cut(self) -> Ended:
        """Hand over what can be, at the quietest window of the last seconds; the rest goes on."""
        back = round(_CUT_BACK / STEP)
        latest_first = range(len(self._speech) - 1, len(self._speech) - back, -1)
        quietest = min(latest_first, key=lambda n: self._speech[n][1])
        ended = Ended(self._chunk(quietest), over=False)
        self._t += quietest * STEP
        self._speech = self._speech[quietest:]
        return ended

    def _chunk(self, count: int) -> AudioChunk:
        return AudioChunk(self._t, HEARD_RATE, np.concatenate([window for window, _ in self._speech[:count]]))
