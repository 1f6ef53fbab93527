"""`bench voice`: how soon it hears, answers and falls silent, how many words it gets wrong, and whether memory stays flat."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import numpy as np

from joyvl_app.audio import HEARD_RATE
from joyvl_app.bench import Result
from joyvl_app.bench.call import simulated_call
from joyvl_app.bench.conversation import conversation
from joyvl_app.bench.speech_set import Spoken, speech_set, word_errors
from joyvl_app.clock import RealClock
from joyvl_app.domain import AudioChunk, Pcm
from joyvl_app.ports import Synthesizer, Transcriber
from joyvl_app.settings import Settings
from joyvl_app.voices import TRANSCRIBERS, Voices

_LONG = 5.0  # seconds of an utterance whose transcription is timed
_TARGETS = {
    "transcript_p95_ms": ("<=", 500.0),
    "first_audio_p95_ms": ("<=", 300.0),
    "answer_p95_s": ("<=", 1.5),
    "barge_in_p95_ms": ("<=", 200.0),
    "call_growth_mb": ("<=", 25.0),
    "call_heard": (">=", 0.95),
    "utterances": (">=", 30.0),
}


def measure() -> Result:
    """All figures of one run; the conversation is held in real time."""
    result = Result(targets=dict(_TARGETS))
    recordings = speech_set()
    result.figures |= asyncio.run(_engines(recordings))
    result.figures |= asyncio.run(conversation())
    result.figures |= asyncio.run(simulated_call())
    return result


# --- the engines alone -------------------------------------------------------------------------------------------------


async def _engines(recordings: Sequence[Spoken]) -> dict[str, float]:
    settings, clock = Settings.model_validate({}), RealClock()
    voices = Voices(settings, clock)
    figures = {"utterances": float(len(recordings))}
    for name, entry in TRANSCRIBERS.entries.items():
        if name == "scripted" or entry.missing():
            continue
        engine = entry.make(clock, settings)
        try:
            await engine.start()
            figures |= await _transcriber(engine, recordings)
        except Exception as error:  # weights that cannot be had: the others are measured all the same
            print(f"{name}: not measured ({error})")
        await engine.aclose()
    for voice in voices.chain():
        if voice.audible:
            await voice.start()
            figures |= await _voice(voice)
    await voices.aclose()
    return figures


async def _transcriber(engine: Transcriber, recordings: Sequence[Spoken]) -> dict[str, float]:
    """Word error rate over the set; and, for the embedded engine, the time for five seconds of speech."""
    heard = [await engine.transcribe(AudioChunk(0.0, HEARD_RATE, each.samples), "en") for each in recordings]
    errors = word_errors([each.text for each in recordings], heard)
    print(f"{engine.name}: {errors:.1%} of the words of {len(recordings)} utterances wrong")
    figures = {f"{engine.name}_word_errors": errors}
    if engine.quick:
        took = []
        for speech in _five_seconds(recordings):
            began = time.perf_counter()
            await engine.transcribe(AudioChunk(0.0, HEARD_RATE, speech), "en")
            took.append(time.perf_counter() - began)
        figures["transcribe_5s_p95_ms"] = _p95(took) * 1000
    return figures


def _five_seconds(recordings: Sequence[Spoken]) -> list[Pcm]:
    """The set's speech, cut into utterances of five seconds."""
    everything = np.concatenate([each.samples for each in recordings])
    step = int(_LONG * HEARD_RATE)
    return [everything[start : start + step] for start in range(0, everything.size - step, step)]


async def _voice(voice: Synthesizer) -> dict[str, float]:
    """Text to first audio, over sentences such as the deciders write."""
    took = []
    for number in range(10):
        for words in ("Someone came in; that makes", "The price tag on the left says $24.90, the one on the right"):
            began = time.perf_counter()
            await anext(aiter(voice.stream(f"{words} {number}.")))
            took.append(time.perf_counter() - began)
    print(f"{voice.name}: first audio after {np.median(took) * 1000:.0f} ms (p50), {_p95(took) * 1000:.0f} ms (p95)")
    return {f"{voice.name}_first_audio_p95_ms": _p95(took) * 1000} | (
        {"first_audio_p95_ms": _p95(took) * 1000} if voice.name == "hibari" else {}
    )


def _p95(values: Sequence[float]) -> float:
    return float(np.percentile(np.asarray(values), 95))
