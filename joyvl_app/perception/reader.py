"""Text on screen: PP-OCR through RapidOCR, whose weights come inside its wheel."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from difflib import SequenceMatcher

import cv2
import numpy as np

from joyvl_app.domain import Box, Image
from joyvl_app.errors import MissingPart
from joyvl_app.plain import plain

_MAX_SIDE = 640
_LEAST_SCORE = 0.75
_WORD = re.compile(r"[\w\d]", re.UNICODE)


@dataclass(frozen=True)
class Line:
    """One line of text where it stands; `box.label` is "text"."""

    text: str
    score: float
    box: Box

    @property
    def height(self) -> float:
        return self.box.y1 - self.box.y0


class TextReader:
    """Reads a picture top to bottom. Raises MissingPart when RapidOCR is not installed."""

    def __init__(self, threads: int = 2) -> None:
        try:
            from rapidocr import RapidOCR
        except ImportError as error:
            raise MissingPart("Reading text needs rapidocr: pip install rapidocr onnxruntime") from error
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        self._engine = RapidOCR(
            params={
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "Det.limit_type": "max",
                "Det.limit_side_len": _MAX_SIDE,
                "Global.use_cls": False,
                "Global.log_level": "error",
            }
        )

    def __call__(self, image: Image) -> tuple[Line, ...]:
        found = self._engine(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if found.txts is None:
            return ()
        height, width = image.shape[:2]
        lines = [
            Line(plain(text).strip(), float(score), _box(np.asarray(corners), float(score), width, height))
            for text, score, corners in zip(found.txts, found.scores, found.boxes, strict=True)
            if score >= _LEAST_SCORE and len(_WORD.findall(text)) >= 2
        ]
        return tuple(sorted(lines, key=lambda line: (round(line.box.y0 * 24), line.box.x0)))


def same_text(a: str, b: str) -> bool:
    """Whether two readings are one text read twice: letters may be misread, a changed number is never the same."""
    left, right = normal(a), normal(b)
    if re.findall(r"\d+", left) != re.findall(r"\d+", right):
        return False
    return left == right or SequenceMatcher(None, left, right).ratio() >= 0.82


def normal(text: str) -> str:
    """Letters and digits only, lower case: spacing and punctuation are the first things a reader gets wrong."""
    return "".join(_WORD.findall(text.lower()))


def _box(corners: np.ndarray, score: float, width: int, height: int) -> Box:
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    return Box("text", score, float(x0) / width, float(y0) / height, float(x1) / width, float(y1) / height)
