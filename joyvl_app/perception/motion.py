"""What changed: between looks (is the picture at rest?), and against a picture that was kept (is this another scene?)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from joyvl_app.domain import Box, Image

_SIZE = (160, 120)
_LEAST_STEP = 9.0  # grey levels; below this a difference is sensor noise even in a noiseless clip
_NOISE_STEPS = 5.0  # times the measured noise
_FINE = 640
_LEAST_CONTRAST = 40.0  # grey levels
_STROKE = 0.4  # of the contrast
_DIGIT, _LEAST_STROKES = 0.04, 6  # pixels, as a share of a line's height squared and at least
Grey = NDArray[np.float32]


def thumbnail(image: Image, size: tuple[int, int] = _SIZE) -> Grey:
    """A small grey picture of `size` (width, height): averaging takes most sensor noise out."""
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey: Grey = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (3, 3), 0).astype(np.float32)
    return grey


def fine(image: Image) -> Grey:
    """A larger grey picture, at most 640 wide, in which a changed digit shows."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if grey.shape[1] > _FINE:
        grey = cv2.resize(grey, (_FINE, round(grey.shape[0] * _FINE / grey.shape[1])), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(grey, (3, 3), 0), np.float32)


def rewritten(now: Grey, then: Grey, box: Box) -> bool:
    """Whether strokes within a text's box are others than before: about a digit's worth differs by much of the contrast."""
    height, width = now.shape
    rows, columns = slice(int(box.y0 * height), int(box.y1 * height) + 1), slice(int(box.x0 * width), int(box.x1 * width) + 1)
    a, b = now[rows, columns], then[rows, columns]
    contrast = max(_LEAST_CONTRAST, float(np.ptp(b)))
    difference = a - b
    changed = int((np.abs(difference - np.median(difference)) > _STROKE * contrast).sum())
    return bool(changed > max(_LEAST_STROKES, _DIGIT * a.shape[0] ** 2))


@dataclass(frozen=True)
class Change:
    """Shares of the picture that differ: since the look before (`moving`), and how evenly bright it became (`shift`)."""

    moving: float
    shift: float

    @property
    def at_rest(self) -> bool:
        return self.moving < 0.004


class Motion:
    """Compares each look with the one before, with a threshold that follows the camera's own noise."""

    def __init__(self) -> None:
        self._before: Grey | None = None
        self._noise = 1.0

    @property
    def step(self) -> float:
        """The least difference, in grey levels, that counts as a change."""
        return max(_LEAST_STEP, _NOISE_STEPS * self._noise)

    def observe(self, now: Grey) -> Change:
        before, self._before = self._before, now
        if before is None:
            return Change(1.0, 0.0)
        difference = now - before
        shift = float(np.median(difference))  # a lamp or an auto-exposure moves every pixel alike
        size = np.abs(difference - shift)
        self._noise += 0.1 * (min(float(np.median(size)) * 1.48, 6.0) - self._noise)
        return Change(float((size > self.step).mean()), shift)

    def changed_region(self, now: Grey, kept: Grey) -> Box | None:
        """Around everything that is not as it was in `kept`; None when nothing is."""
        changed = np.abs(now - kept - np.median(now - kept)) > self.step
        if not changed.any():
            return None
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        height, width = changed.shape
        return Box(
            "changed", 1.0, float(columns[0]) / width, float(rows[0]) / height,
            float(columns[-1] + 1) / width, float(rows[-1] + 1) / height,
        )  # fmt: skip

    def differs(self, now: Grey, kept: Grey) -> float:
        """The share of the picture that is not as it was in `kept`, an even change of brightness apart."""
        difference = now - kept
        return float((np.abs(difference - np.median(difference)) > self.step + 6).mean())
