"""A voice of plain tones, a fixed time a character: real audio with a known length, for demos and tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np

from joyvl_app.domain import AudioChunk
from joyvl_app.errors import JoyError

_RATE = 24_000
_CHUNK_SECONDS = 0.2


class ScriptedSynthesizer:
    """A 440 Hz tone as long as `seconds_per_char` makes the text, in chunks of 0.2 s."""

    name, languages, audible, ready = "scripted", ("en", "zh"), True, True

    def __init__(self, seconds_per_char: float = 0.06, fails: JoyError | None = None) -> None:
        self._seconds_per_char, self._fails = seconds_per_char, fails

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    async def stream(self, text: str, speed: float = 1.0) -> AsyncIterator[AudioChunk]:
        if self._fails:
            raise self._fails
        total = int(len(text) * self._seconds_per_char / speed * _RATE)
        step = int(_CHUNK_SECONDS * _RATE)
        for start in range(0, total, step):
            n = np.arange(start, min(start + step, total))
            tone = (np.sin(2 * np.pi * 440 * n / _RATE) * 6_000).astype(np.int16)
            yield AudioChunk(start / _RATE, _RATE, tone)
