"""The embedded voice: hibari (English, Apache-2.0), its weights inside the wheel; 100 times faster than real time on one core."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from joyvl_app.audio import pcm
from joyvl_app.domain import AudioChunk, Pcm
from joyvl_app.ports import Clock
from joyvl_app.worker import Model

if TYPE_CHECKING:
    from hibari import Hibari

_SEED = 0  # the same sentence sounds the same


class HibariSynthesizer:
    """24 kHz; one chunk a sentence."""

    name, languages, audible = "hibari", ("en",), True

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._voice, self._seconds = Model("hibari", clock, _load), seconds

    @property
    def ready(self) -> bool:
        return self._voice.ready

    async def start(self) -> None:
        await self._voice.start()

    async def aclose(self) -> None:
        self._voice.close()

    async def stream(self, text: str, speed: float = 1.0) -> AsyncIterator[AudioChunk]:
        samples = await self._voice.run(lambda voice: _spoken(voice, text, speed), self._seconds)
        yield AudioChunk(0.0, 24_000, samples)


def _spoken(voice: Hibari, text: str, speed: float) -> Pcm:
    return pcm(voice(text.replace("[", "(").replace("]", ")"), speed=speed, seed=_SEED))  # [..](/../) would be phonemes


def _load() -> Hibari:
    from hibari import Hibari

    voice = Hibari()
    voice("Ready.")  # the pronunciation rules load with the first sentence
    return voice
