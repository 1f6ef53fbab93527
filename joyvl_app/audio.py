"""Samples: one form for what microphones, files and voices give, and what the ear and the loudspeaker take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from joyvl_app.domain import Pcm

HEARD_RATE = 16_000  # hertz: what voice activity detection and speech recognition take
SPOKEN_RATE = 24_000  # hertz: what is sent to the loudspeaker
WINDOW = 512  # samples of HEARD_RATE: 32 ms, silero's
_PITCH = HEARD_RATE // 400, HEARD_RATE // 70  # lags of the human voice, samples
_PERIODIC = 0.45  # of the energy comes again after one period


def pcm(samples: NDArray[Any]) -> Pcm:
    """Mono 16-bit samples of int16 or float, shape (n,), (channels, n) or (n, channels); what is no number is silence."""
    whole = samples.dtype == np.int16
    if samples.ndim == 2:
        samples = samples.mean(axis=0 if samples.shape[0] <= samples.shape[1] else 1)
    if whole:
        return np.ascontiguousarray(samples, dtype=np.int16)
    finite = np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return (np.clip(finite, -1.0, 1.0) * 32_767).astype(np.int16)


def resampled(samples: Pcm, rate: int, wanted: int) -> Pcm:
    """A whole stretch at another rate."""
    if rate == wanted or not samples.size:
        return samples
    changed: Pcm = soxr.resample(samples, rate, wanted)
    return changed


class Resampler:
    """A stream of samples at one fixed rate, whatever rate it comes in."""

    def __init__(self, wanted: int) -> None:
        self._wanted, self._rate = wanted, wanted
        self._stream: soxr.ResampleStream | None = None

    def take(self, samples: Pcm, rate: int) -> Pcm:
        if rate != self._rate:
            self._rate = rate
            self._stream = None if rate == self._wanted else soxr.ResampleStream(rate, self._wanted, 1, "int16", "LQ")
        if self._stream is None:
            return samples
        changed: Pcm = self._stream.resample_chunk(samples)
        return changed


def windows(samples: Pcm) -> Iterable[Pcm]:
    """Whole windows, in order; a rest shorter than one is left out."""
    return (samples[start : start + WINDOW] for start in range(0, samples.size - WINDOW + 1, WINDOW))


def is_voiced(window: Pcm) -> bool:
    """Whether the sound repeats itself at the pitch of a voice, as vowels do; coughs, clicks and hiss do not."""
    sound = window.astype(np.float32)
    sound -= sound.mean()
    if (energy := float(sound @ sound)) < 1e4:
        return False
    spectrum = np.fft.rfft(sound, 2 * sound.size)
    again = np.fft.irfft(spectrum * np.conj(spectrum))[: sound.size]
    shortest, longest = _PITCH
    lags = np.arange(shortest, longest)
    fair = again[shortest:longest] * sound.size / (sound.size - lags)  # later lags overlap less
    return bool(fair.max() > _PERIODIC * energy)
