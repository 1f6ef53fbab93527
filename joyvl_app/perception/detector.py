"""Objects: NanoDet-Plus-m 416 on the 80 COCO classes (weights: assets/models/README.md)."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from joyvl_app.domain import Box, Image
from joyvl_app.perception.coco import COCO
from joyvl_app.perception.models import OnnxModel

_SIDE = 416
_STRIDES = (8, 16, 32)
_BINS = 11
_MEAN = np.array([103.53, 116.28, 123.675], np.float32)  # BGR, as the network was trained
_STD = np.array([57.375, 57.12, 58.395], np.float32)
_ASPECT = 4 / 3
_MARGIN = 114  # grey
_NMS_IOU = 0.5
_MOST = 40


class _Cells(NamedTuple):
    """Candidate cells of one pyramid level: scores and classes (n,), corners (n, 4) in input pixels."""

    scores: NDArray[np.float32]
    classes: NDArray[np.intp]
    corners: NDArray[np.float32]


class Detector:
    """Finds COCO objects; `threshold` is the least score returned (trackers want weak boxes too).

    The network saw pictures of about 4:3 squashed to a square. Wider or taller ones get a margin first; with `undistorted`
    every picture does, which shows large things in their true proportions and small ones smaller: a second view of the same.
    """

    def __init__(self, threshold: float = 0.25) -> None:
        self._model = OnnxModel("nanodet")
        self._threshold = threshold

    def __call__(self, image: Image, undistorted: bool = False) -> list[Box]:
        """Boxes in an RGB picture, strongest first, at most 40."""
        height, width = image.shape[:2]
        padded = _padded(image, 1.0 if undistorted else _ASPECT)
        outputs = self._model(_prepare(padded))
        levels = [self._level(outputs[i][0], outputs[i + 3][0], stride) for i, stride in enumerate(_STRIDES)]
        scores, classes, corners = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        corners *= np.array([padded.shape[1] / width, padded.shape[0] / height] * 2, np.float32)
        return [_box(scores[i], classes[i], corners[i]) for i in _keep(scores, classes, corners)]

    def _level(self, scores: NDArray[np.float32], bins: NDArray[np.float32], stride: int) -> _Cells:
        best = scores.argmax(axis=1)
        strength = scores[np.arange(len(best)), best]
        cells = np.flatnonzero(strength >= self._threshold)
        return _Cells(strength[cells], best[cells], _corners(bins[cells], cells, stride))


def _padded(image: Image, aspect: float) -> Image:
    """With a grey margin below or to the right, until neither side is more than `aspect` times the other."""
    height, width = image.shape[:2]
    below, right = max(0, round(width / aspect) - height), max(0, round(height / aspect) - width)
    if not below and not right:
        return image
    padded: Image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(_MARGIN,) * 3)
    return padded


def _prepare(image: Image) -> NDArray[np.float32]:
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)[..., ::-1]
    normal = (small.astype(np.float32) - _MEAN) / _STD
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def _corners(bins: NDArray[np.float32], cells: NDArray[np.intp], stride: int) -> NDArray[np.float32]:
    """Distances left, top, right, bottom are the expected bin of a distribution over 11, in strides from the cell's centre."""
    logits = bins.reshape(-1, 4, _BINS)
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    reach = (odds / odds.sum(axis=2, keepdims=True) @ np.arange(_BINS, dtype=np.float32)) * stride
    grid = _SIDE // stride
    x = (cells % grid + 0.5) * stride - 0.5
    y = (cells // grid + 0.5) * stride - 0.5
    return np.stack([x - reach[:, 0], y - reach[:, 1], x + reach[:, 2], y + reach[:, 3]], axis=1).astype(np.float32)


def _keep(scores: NDArray[np.float32], classes: NDArray[np.intp], corners: NDArray[np.float32]) -> list[int]:
    """Non-maximum suppression within each class."""
    if not len(scores):
        return []
    apart = corners + (classes * 4 * _SIDE)[:, None]  # classes far from each other never suppress
    rects = np.column_stack([apart[:, :2], apart[:, 2:] - apart[:, :2]])
    kept = cv2.dnn.NMSBoxes(rects.tolist(), scores.tolist(), 0.0, _NMS_IOU)
    return sorted((int(i) for i in kept), key=lambda i: -scores[i])[:_MOST]


def _box(score: np.float32, cls: np.intp, corner: NDArray[np.float32]) -> Box:
    x0, y0, x1, y1 = (float(v) for v in np.clip(corner / _SIDE, 0.0, 1.0))
    return Box(COCO[int(cls)], float(score), x0, y0, x1, y1)
