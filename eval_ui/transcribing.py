"""A screen recording's sound written down as an event log: a draft, to be read and mended by whoever makes the study."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from eval_ui.media import Cut, probe, sound_of
from joyvl_app.audio import HEARD_RATE, SPOKEN_RATE, WINDOW, resampled
from joyvl_app.clock import RealClock
from joyvl_app.domain import AudioChunk, Pcm
from joyvl_app.errors import BadInput, MissingPart
from joyvl_app.events import Header, Spoken
from joyvl_app.settings import Settings
from joyvl_app.voices import Voices

_SPEECH = 0.5  # probability from which a window is speech
_PAUSE = 0.6  # seconds of silence that end a turn
_SHORT = 0.2  # seconds that are no turn yet
_LONGEST = 30.0  # seconds read in one piece
_SECOND = HEARD_RATE // WINDOW * WINDOW


async def write_down(recording: Path, out: Path, language: str, settings: Settings) -> int:
    """Write the turns that are heard in `recording` to `out` (JSONL); returns how many. Raises BadInput or MissingPart."""
    await asyncio.to_thread(_refuse_to_overwrite, out)
    about = await asyncio.to_thread(probe, recording)
    if not about.sounds:
        raise BadInput(f"{recording.name} has no sound: nobody can be heard in it. Write its turns by hand (docs/rating.md).")
    samples = await asyncio.to_thread(sound_of, recording, Cut(0.0, about.seconds))
    speech = resampled(samples, SPOKEN_RATE, HEARD_RATE)
    voices = Voices(settings, RealClock())
    try:
        turns = await _turns(speech, language, voices)
    finally:
        await voices.aclose()
    lines = [Header(source=recording.name, decider="recording", scenario="recording").model_dump_json()]
    lines += [turn.model_dump_json() for turn in turns]
    await asyncio.to_thread(out.write_text, "\n".join(lines) + "\n", encoding="utf-8")
    return len(turns)


def _refuse_to_overwrite(out: Path) -> None:
    """Somebody's mended turns must not be lost, nor minutes of listening to a wrong folder."""
    if out.exists():
        raise BadInput(f"{out} is there already; give another file, or delete it.")
    if not out.parent.is_dir():
        raise BadInput(f"There is no folder {out.parent}.")


async def _turns(speech: Pcm, language: str, voices: Voices) -> list[Spoken]:
    transcriber, detector = voices.ears()
    if transcriber is None or detector is None:
        raise MissingPart("Nothing here recognises speech: pip install -r requirements.txt, and JOYVL_TRANSCRIBER=auto.")
    if language not in transcriber.languages:
        raise BadInput(f"{transcriber.name} does not know the language {language}: set JOYVL_TRANSCRIBER=whisper.")
    await detector.start()
    ear, voiced = detector.open(), list[bool]()
    for at in range(0, speech.size - WINDOW + 1, _SECOND):
        near = speech[at : at + _SECOND]
        near = near[: near.size // WINDOW * WINDOW]
        voiced += [sound.p_speech >= _SPEECH for sound in await ear.listen(near, np.zeros_like(near), True)]
    await transcriber.start()
    turns = []
    for start, end in _stretches(voiced):
        piece = speech[int(start * HEARD_RATE) : int(end * HEARD_RATE)]
        if text := (await transcriber.transcribe(AudioChunk(start, HEARD_RATE, piece), language)).strip():
            turns.append(Spoken(t=start, t_start=start, t_end=end, text=text, decision_t=start))
    return turns


def _stretches(voiced: list[bool]) -> list[tuple[float, float]]:
    """Seconds from and to which somebody speaks, with a little room around."""
    step, found = WINDOW / HEARD_RATE, list[list[float]]()
    for number, speaks in enumerate(voiced):
        t = number * step
        if speaks and found and t - found[-1][1] < _PAUSE and t - found[-1][0] < _LONGEST:
            found[-1][1] = t + step
        elif speaks:
            found.append([t, t + step])
    return [(max(0.0, start - _SHORT), end + _SHORT) for start, end in found if end - start >= _SHORT]
