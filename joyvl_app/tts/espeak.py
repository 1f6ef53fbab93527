"""espeak-ng through ctypes: many languages, robotic, at once there. An optional extra: its licence is GPL-3.

The library and its data lie in the package espeakng-loader. espeak keeps one state for the process: all happens on one thread.
"""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np

from joyvl_app.domain import AudioChunk, Pcm
from joyvl_app.errors import MissingPart, ProviderFailed
from joyvl_app.ports import Clock
from joyvl_app.tts.pieces import language_of
from joyvl_app.worker import Model

_SYNCHRONOUS, _DONT_EXIT, _CHARACTERS, _UTF8, _RATE = 2, 0x8000, 1, 1, 1
_WORDS_A_MINUTE = 175
_LONGEST_PATH = 155  # bytes; with a longer one espeak looks where its author built it
_MOST_SECONDS = 60
_VOICES = {"en": b"en-us", "zh": b"cmn"}
_PARTS = ("phontab", "phonindex", "phondata", "intonations")
_TAKE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakSynthesizer:
    """22.05 kHz, 100 times faster than real time and more."""

    name, languages, audible = "espeak", ("en", "zh"), True

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._engine, self._seconds = Model("espeak", clock, _Engine), seconds

    @property
    def ready(self) -> bool:
        return self._engine.ready

    async def start(self) -> None:
        await self._engine.start()

    async def aclose(self) -> None:
        self._engine.close()

    async def stream(self, text: str, speed: float = 1.0) -> AsyncIterator[AudioChunk]:
        yield await self._engine.run(lambda engine: engine.speak(text, speed), self._seconds)


class _Engine:
    """The library, started. Raises MissingPart."""

    def __init__(self) -> None:
        self._library, data = _library()
        null = ctypes.c_void_p
        self._library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        self._library.espeak_Synth.argtypes = [ctypes.c_char_p, ctypes.c_size_t, *[ctypes.c_uint] * 4, null, null]
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, str(data).encode(), _DONT_EXIT)
        if self._rate <= 0:
            raise MissingPart(
                f"espeak does not start (espeak_Initialize says {self._rate}): pip install --force-reinstall espeakng-loader"
            )
        self._parts: list[bytes] = []
        self._take = _TAKE(self._keep)  # espeak holds only its address
        self._library.espeak_SetSynthCallback(self._take)

    def speak(self, text: str, speed: float) -> AudioChunk:
        """Raises ProviderFailed."""
        self._parts = []
        voice = _VOICES[language_of(text)]
        words = round(_WORDS_A_MINUTE * min(2.0, max(0.5, speed)))
        said = _harmless(text).encode()
        if (
            self._library.espeak_SetVoiceByName(voice)
            or self._library.espeak_SetParameter(_RATE, words, 0)
            or self._library.espeak_Synth(said, len(said) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
        ):
            raise ProviderFailed(f"espeak could not speak a sentence in its voice {voice.decode()}.")
        samples: Pcm = np.frombuffer(b"".join(self._parts), np.int16)
        return AudioChunk(0.0, self._rate, samples)

    def _keep(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        """espeak's callback: its buffer is copied; 1 ends the synthesis."""
        if samples and count > 0:
            self._parts.append(ctypes.string_at(samples, count * 2))
        return int(sum(map(len, self._parts)) > _MOST_SECONDS * self._rate * 2)


def _harmless(text: str) -> str:
    """NUL ends a C string, and espeak reads other control and private-use signs as commands."""
    return "".join(" " if unicodedata.category(sign) in ("Cc", "Co", "Cs", "Cn") else sign for sign in text)


def _library() -> tuple[ctypes.CDLL, Path]:
    try:
        import espeakng_loader

        library, data = ctypes.CDLL(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingPart("The voice 'espeak' needs: pip install espeakng-loader") from error
    if absent := [part for part in _PARTS if not (data / part).is_file()]:
        raise MissingPart(f"espeak's data is incomplete, {absent[0]} is missing: pip install --force-reinstall espeakng-loader")
    if len(str(data).encode()) > _LONGEST_PATH:
        raise MissingPart(f"espeak's data lies too deep in the file system ({_LONGEST_PATH} bytes at most): {data}")
    return library, data
