"""Speech recognition on the CPU: Moonshine tiny (English, MIT), whose weights lie inside the wheel moonshine-voice 0.0.73."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from joyvl_app.audio import HEARD_RATE, resampled
from joyvl_app.domain import AudioChunk
from joyvl_app.errors import MissingPart
from joyvl_app.ports import Clock
from joyvl_app.worker import Model

if TYPE_CHECKING:
    from moonshine_voice.transcriber import Transcriber

# It would cut the speech by a voice activity detection of its own, and hear words at the cuts that nobody said.
_WHOLE = {"vad_threshold": "0", "vad_max_segment_duration": "60"}


class MoonshineTranscriber:
    """WER 4% on read speech (bench voice), 40 ms a second of it; 285 MB."""

    name, languages, quick = "moonshine", ("en",), True

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._engine, self._seconds = Model("moonshine", clock, _load), seconds

    async def start(self) -> None:
        await self._engine.start()

    async def aclose(self) -> None:
        self._engine.close()

    async def transcribe(self, speech: AudioChunk, language: str) -> str:
        return await self._engine.run(lambda engine: _text(engine, speech), self._seconds)


def _text(engine: Transcriber, speech: AudioChunk) -> str:
    samples = resampled(speech.samples, speech.rate, HEARD_RATE).astype(np.float32) / 32_768
    heard = engine.transcribe_without_streaming(samples.tolist(), HEARD_RATE)
    return " ".join(line.text.strip() for line in heard.lines)


def _load() -> Transcriber:
    spec = find_spec("moonshine_voice")
    folder = Path(spec.origin).parent / "assets" / "tiny-en" if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        raise MissingPart("The transcriber 'moonshine' needs: pip install moonshine-voice==0.0.73")
    from moonshine_voice.moonshine_api import ModelArch
    from moonshine_voice.transcriber import Transcriber  # not the package's microphone, which wants PortAudio

    return Transcriber(folder, ModelArch.TINY, options=_WHOLE)
