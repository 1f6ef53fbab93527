"""The browser's own voice: the page speaks, here only the time it takes is kept, so that nobody else speaks meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np

from joyvl_app.domain import AudioChunk
from joyvl_app.tts.pieces import language_of

_RATE = 8_000
_SECONDS_A_SIGN = {"en": 0.065, "zh": 0.24}  # browsers' voices at their own pace, measured generously
_LEAST = 0.6


class BrowserSynthesizer:
    """Silence as long as the sentence will about take; the page says so when it is done earlier."""

    name, languages, audible, ready = "browser", ("en", "zh"), False, True

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    async def stream(self, text: str, speed: float = 1.0) -> AsyncIterator[AudioChunk]:
        seconds = max(_LEAST, len(text) * _SECONDS_A_SIGN[language_of(text)] / speed)
        yield AudioChunk(0.0, _RATE, np.zeros(int(seconds * _RATE), np.int16))
