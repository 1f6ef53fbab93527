"""What the tests of the voice share: sentences in the embedded voice, recordings, and the embedded transcriber's reading."""

from __future__ import annotations

import wave
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from joyvl_app.asr.moonshine import _load as load_moonshine
from joyvl_app.asr.moonshine import _text as read_by
from joyvl_app.audio import HEARD_RATE, SPOKEN_RATE, pcm, resampled
from joyvl_app.bench.speech_set import FOLDER, recording
from joyvl_app.domain import AudioChunk, Pcm


@cache
def _voice() -> Any:
    from hibari import Hibari

    return Hibari()


@cache
def _moonshine() -> Any:
    return load_moonshine()


@cache
def sentence(text: str) -> Pcm:
    """The sentence at 16 kHz."""
    return resampled(pcm(_voice()(text, seed=0)), SPOKEN_RATE, HEARD_RATE)


def person(name: str) -> Pcm:
    """A recording of a person (assets/speech)."""
    return recording(FOLDER / f"{name}.flac")


def reading(samples: Pcm, rate: int = SPOKEN_RATE) -> str:
    """What the embedded transcriber reads in it."""
    return str(read_by(_moonshine(), AudioChunk(0.0, rate, samples)))


def silence(seconds: float) -> Pcm:
    return np.zeros(int(seconds * HEARD_RATE), np.int16)


def write_wav(path: Path, samples: Pcm, rate: int = HEARD_RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples, channels).tobytes())
    return path
