"""Text on screen: PP-OCR through RapidOCR, whose weights come inside its wheel."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

import cv2
import numpy as np

from joyvl_app.domain import Box, Image
from joyvl_app.errors import MissingPart
from joyvl_app.plain import plain

_ALIKE = 0.82  # of their letters in order make two readings one text
_MAX_SIDE = 640
_LEAST_SCORE = 0.75
_MARGIN = 0.05  # of the picture, around a region that is read again
_WORTH_CROPPING = 0.5  # of the picture; a larger region is no saving
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


Reader = Callable[[Image], tuple[Line, ...]]  # a picture's lines, top to bottom


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


def region_to_read(changed: Box, known: Iterable[Box]) -> Box | None:
    """What must be read again: the changed region with a margin and every known line it touches; None for the whole picture."""
    x0, y0, x1, y1 = changed.x0 - _MARGIN, changed.y0 - _MARGIN, changed.x1 + _MARGIN, changed.y1 + _MARGIN
    for box in known:
        if box.x0 < x1 and box.x1 > x0 and box.y0 < y1 and box.y1 > y0:
            x0, y0 = min(x0, box.x0 - _MARGIN), min(y0, box.y0 - _MARGIN)
            x1, y1 = max(x1, box.x1 + _MARGIN), max(y1, box.y1 + _MARGIN)
    region = Box("region", 1.0, max(0.0, x0), max(0.0, y0), min(1.0, x1), min(1.0, y1))
    return region if region.area < _WORTH_CROPPING else None


def read_region(reader: Reader, image: Image, region: Box | None) -> tuple[Line, ...]:
    """Read the whole picture, or a part of it; lines are placed in the whole, those that the part cuts are left out."""
    if region is None:
        return reader(image)
    height, width = image.shape[:2]
    top, left = int(region.y0 * height), int(region.x0 * width)
    part = image[top : max(top + 8, int(region.y1 * height)), left : max(left + 8, int(region.x1 * width))]
    lines = (_placed(line, part.shape[:2], (top, left), (height, width)) for line in reader(part))
    return tuple(line for line in lines if not _is_cut(line.box, region))


def _placed(line: Line, part: tuple[int, ...], corner: tuple[int, int], whole: tuple[int, int]) -> Line:
    (ph, pw), (top, left), (height, width) = part, corner, whole
    box = line.box
    placed = Box(
        "text", box.score, (left + box.x0 * pw) / width, (top + box.y0 * ph) / height,
        (left + box.x1 * pw) / width, (top + box.y1 * ph) / height,
    )  # fmt: skip
    return Line(line.text, line.score, placed)


def _is_cut(box: Box, region: Box) -> bool:
    """Whether a line ends at a border of the region that is not a border of the picture."""
    near = 0.004
    return (
        (region.x0 > 0 and box.x0 - region.x0 < near)
        or (region.y0 > 0 and box.y0 - region.y0 < near)
        or (region.x1 < 1 and region.x1 - box.x1 < near)
        or (region.y1 < 1 and region.y1 - box.y1 < near)
    )


def same_text(a: str, b: str) -> bool:
    """Whether two readings are one text read twice: letters may be misread, a changed number is never the same."""
    left, right = normal(a), normal(b)
    if re.findall(r"\d+", left) != re.findall(r"\d+", right):
        return False
    if left == right:
        return True
    matcher = SequenceMatcher(None, left, right)  # the quick ratios are upper bounds of the true one
    return matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE


def normal(text: str) -> str:
    """Letters and digits only, lower case: spacing and punctuation are the first things a reader gets wrong."""
    return "".join(_WORD.findall(text.lower()))


def _box(corners: np.ndarray, score: float, width: int, height: int) -> Box:
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    return Box("text", score, float(x0) / width, float(y0) / height, float(x1) / width, float(y1) / height)
