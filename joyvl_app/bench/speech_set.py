"""34 recorded utterances with their words (assets/speech), and how many words an engine gets wrong."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import jiwer
import numpy as np

from joyvl_app.audio import HEARD_RATE
from joyvl_app.domain import Pcm

FOLDER = Path(__file__).resolve().parent.parent.parent / "assets" / "speech"


@dataclass(frozen=True, eq=False)
class Spoken:
    """One recording, 16 kHz, and its words."""

    name: str
    samples: Pcm
    text: str


def speech_set() -> list[Spoken]:
    """All of it, in the order of its table."""
    with (FOLDER / "transcripts.tsv").open(encoding="utf-8", newline="") as file:
        return [Spoken(row["file"], recording(FOLDER / row["file"]), row["text"]) for row in csv.DictReader(file, delimiter="\t")]


def recording(path: Path) -> Pcm:
    """A mono file at 16 kHz."""
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
        assert container.streams.audio[0].rate == HEARD_RATE, f"{path.name} is not at 16 kHz"
    samples: Pcm = np.concatenate(parts).astype(np.int16)
    return samples


def word_errors(references: list[str], heard: list[str]) -> float:
    """Substituted, left out and added words, as a share of the words spoken (word error rate), both texts made plain first."""
    return float(jiwer.wer([_words(text) for text in references], [_words(text) for text in heard]))


def _words(text: str) -> str:
    return str(_normalizer()(text.replace("'", "").replace("\u2019", "")))


@cache
def _normalizer() -> Any:
    from whisper.normalizers import EnglishTextNormalizer

    return EnglishTextNormalizer()
