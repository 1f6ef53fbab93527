"""Hearing that follows a script: whatever is loud is speech, and it says what it was told to. For demos and tests."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from joyvl_app.audio import windows
from joyvl_app.domain import AudioChunk, Pcm, Sound, Transcript
from joyvl_app.errors import ProviderFailed

_LOUD = 500.0  # root mean square of 16-bit samples


class ScriptedTranscriber:
    """Gives the lines whose middle lies in a stretch of speech, in order; without any lines, each stretch is "speech"."""

    name, languages, quick = "scripted", ("en", "zh"), True

    def __init__(self, lines: Iterable[Transcript] = (), fails: ProviderFailed | None = None) -> None:
        self._lines = sorted(lines, key=lambda line: line.t_end)
        self._fails = fails

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    async def transcribe(self, speech: AudioChunk, language: str) -> str:
        if self._fails:
            raise self._fails
        end = speech.t + speech.seconds
        said = [line.text for line in self._lines if speech.t <= (line.t_start + line.t_end) / 2 <= end]
        return " ".join(said) if self._lines else "speech"


class LoudnessDetector:
    """Loud is speech. It compares what it hears with nothing."""

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    def open(self) -> LoudnessEar:
        return LoudnessEar()


class LoudnessEar:
    echoes = False

    async def listen(self, near: Pcm, far: Pcm, turn: bool) -> list[Sound]:
        loud = (float(np.sqrt(np.mean(window.astype(np.float64) ** 2))) > _LOUD for window in windows(near))
        return [Sound(float(is_loud), is_loud) for is_loud in loud]

    def mistaken(self) -> None:
        return None
