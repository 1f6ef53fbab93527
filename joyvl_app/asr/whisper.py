"""Speech recognition with openai-whisper: any size, any of its languages, detected or given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import numpy as np

from joyvl_app.audio import HEARD_RATE, resampled
from joyvl_app.domain import AudioChunk
from joyvl_app.errors import MissingPart
from joyvl_app.ports import Clock
from joyvl_app.settings import Settings
from joyvl_app.worker import Model

if TYPE_CHECKING:
    from whisper import Whisper

_NO_SPEECH, _UNSURE, _REPEATS = 0.6, -1.0, 2.4  # openai-whisper's own bounds for what it made up


class WhisperTranscriber:
    """`JOYVL_WHISPER_MODEL` is a size (tiny, base, small, medium, large, turbo) or a checkpoint file."""

    name, quick = "whisper", False

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self.languages = ("en",) if settings.whisper_model.endswith(".en") else ("en", "zh")
        self._language = settings.whisper_language
        self._seconds = settings.transcriber_seconds
        self._engine = Model("whisper", clock, lambda: _load(settings.whisper_model, settings.whisper_device))

    async def start(self) -> None:
        await self._engine.start()

    async def aclose(self) -> None:
        self._engine.close()

    async def transcribe(self, speech: AudioChunk, language: str) -> str:
        """`language` is what the page is set to; it is used where the setting says `page`, else the set or detected one."""
        told = {"page": language, "detect": None}.get(self._language, self._language)
        return await self._engine.run(lambda engine: _text(engine, speech, told), self._seconds)


def _text(engine: Whisper, speech: AudioChunk, language: str | None) -> str:
    samples = resampled(speech.samples, speech.rate, HEARD_RATE).astype(np.float32) / 32_768
    language = language if engine.is_multilingual else "en"
    heard = engine.transcribe(
        samples, language=language, fp16=engine.device.type == "cuda", temperature=0.0, condition_on_previous_text=False
    )
    return " ".join(segment["text"].strip() for segment in heard["segments"] if _is_meant(segment))


def _is_meant(segment: dict[str, Any]) -> bool:
    made_up = segment["no_speech_prob"] > _NO_SPEECH and segment["avg_logprob"] < _UNSURE
    return not made_up and segment["compression_ratio"] <= _REPEATS


def _load(model: str, device: str) -> Whisper:
    import whisper

    path = Path(model).expanduser()
    if not path.is_file() and model not in whisper.available_models():
        choices = ", ".join(whisper.available_models())
        raise MissingPart(f"JOYVL_WHISPER_MODEL={model} is neither a checkpoint file nor one of: {choices}.")
    try:
        return whisper.load_model(str(path) if path.is_file() else model, device=None if device == "auto" else device)
    except (URLError, OSError) as error:
        raise MissingPart(
            f"Whisper's weights '{model}' cannot be fetched; JOYVL_WHISPER_MODEL may name a checkpoint file (.pt) instead."
        ) from error
    except Exception as error:  # torch raises many kinds on a file that is no checkpoint
        raise MissingPart(f"{path} is no Whisper checkpoint, or a damaged one ({type(error).__name__}).") from error
