"""What a side says and when, read from its event log; and the same as sound, all sides in one voice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from joyvl_app.audio import SPOKEN_RATE, resampled
from joyvl_app.domain import Pcm
from joyvl_app.errors import BadInput, ProviderFailed
from joyvl_app.event_log import read_log
from joyvl_app.events import Spoken, State
from joyvl_app.ports import Synthesizer

MOST_CAPTIONS = 2_000
_GAP = 0.1  # seconds between two sentences that would overlap
_BLOT = "▇▇▇"


@dataclass(frozen=True)
class Caption:
    """A spoken turn: seconds of the item, and what was said."""

    t: float
    end: float
    text: str


def read_captions(path: Path, start: float, seconds: float, headed: bool = True) -> list[Caption]:
    """The spoken turns of an event log between second `start` and `start + seconds`, counted from `start`.

    Raises BadInput when it is no log, or one of a run that failed: a failure is not an assistant that says nothing.
    """
    turns: list[Caption] = []
    for event in read_log(path, headed):
        if isinstance(event, State) and event.name == "error":
            raise BadInput(f"{path.name} is the log of a run that failed: {event.detail}")
        if isinstance(event, Spoken) and 0 <= event.t_start - start < seconds:
            turns.append(Caption(event.t_start - start, min(event.t_end - start, seconds), event.text))
    if len(turns) > MOST_CAPTIONS:
        raise BadInput(f"{path.name} has more than {MOST_CAPTIONS} turns")
    return sorted(turns, key=lambda turn: turn.t)


def blotted(turns: Sequence[Caption], names: Sequence[str]) -> list[Caption]:
    """The turns without these names: an assistant that introduces itself would give its side away."""
    if not names:
        return list(turns)
    pattern = re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)), re.IGNORECASE)
    return [replace(turn, text=pattern.sub(_BLOT, turn.text)) for turn in turns]


async def spoken(turns: Sequence[Caption], seconds: float, voice: Synthesizer) -> Pcm:
    """All turns as one sound track, 24 kHz mono; a sentence that is still sounding when the next begins is cut there."""
    track = np.zeros(round(seconds * SPOKEN_RATE), np.int16)
    starts = [*(turn.t for turn in turns[1:]), seconds]
    for turn, until in zip(turns, starts, strict=True):
        room = max(0.0, until - turn.t - _GAP)
        sound = (await _said(turn.text.replace(_BLOT, ""), voice))[: round(room * SPOKEN_RATE)]
        at = round(turn.t * SPOKEN_RATE)
        track[at : at + sound.size] = sound[: track.size - at]
    return track


async def _said(text: str, voice: Synthesizer) -> Pcm:
    try:
        pieces = [resampled(chunk.samples, chunk.rate, SPOKEN_RATE) async for chunk in voice.stream(text)]
    except ProviderFailed:  # a sentence without sound has its caption all the same
        return np.zeros(0, np.int16)
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
