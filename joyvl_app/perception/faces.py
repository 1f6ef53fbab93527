"""Faces (BlazeFace, 256×256) and their expression (a 64×64 grey classifier); weights: assets/models/README.md."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from joyvl_app.domain import Box, Image
from joyvl_app.perception.models import OnnxModel, sigmoid

_SIDE = 256
_THRESHOLD = 0.75  # a cat's portrait scores 0.72, a patch of grass as much; people 0.85 and more
_NMS_IOU = 0.3
_EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
# Measured on neutral faces, the other classes are noise; these two are trusted (docs/log.md).
TRUSTED = ("happy", "surprise")
_LEAST_FACE = 24  # pixels; a smaller face carries no expression


def _anchors() -> NDArray[np.float32]:
    """Cell centres of a 16×16 grid twice and an 8×8 grid six times, in units of the picture."""
    centres = []
    for grid, repeats in ((16, 2), (8, 6)):
        steps = (np.arange(grid) + 0.5) / grid
        x, y = np.meshgrid(steps, steps)
        centres.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), repeats, axis=0))
    return np.concatenate(centres).astype(np.float32)


class FaceFinder:
    """Finds faces; a box is labelled "face"."""

    def __init__(self) -> None:
        self._model = OnnxModel("blazeface")
        self._centres = _anchors()

    def __call__(self, image: Image) -> list[Box]:
        height, width = image.shape[:2]
        side = max(height, width)
        outputs = self._model(_padded(image, side))
        scores = sigmoid(np.concatenate([outputs[0][0, :, 0], outputs[1][0, :, 0]]))
        shapes = np.concatenate([outputs[2][0], outputs[3][0]])
        likely = np.flatnonzero(scores >= _THRESHOLD)
        centre = self._centres[likely] + shapes[likely, 0:2] / _SIDE
        half = shapes[likely, 2:4] / _SIDE / 2
        corners = np.concatenate([centre - half, centre + half], axis=1)
        scale = np.array([side / width, side / height] * 2, np.float32)
        return [_face(scores[likely[i]], corners[i] * scale) for i in _keep(corners, scores[likely])]


class ExpressionReader:
    """Scores of the trusted expressions of one face, and of "neutral"."""

    def __init__(self) -> None:
        self._model = OnnxModel("emotion")

    def __call__(self, image: Image, face: Box) -> dict[str, float]:
        height, width = image.shape[:2]
        crop = image[int(face.y0 * height) : int(face.y1 * height), int(face.x0 * width) : int(face.x1 * width)]
        if min(crop.shape[:2]) < _LEAST_FACE:
            return {}
        grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (64, 64), interpolation=cv2.INTER_AREA)
        probabilities = self._model(((grey.astype(np.float32) / 255 - 0.5) * 2)[None, :, :, None])[0][0]
        scores = dict(zip(_EXPRESSIONS, (float(p) for p in probabilities), strict=True))
        return {name: scores[name] for name in (*TRUSTED, "neutral")}


def _padded(image: Image, side: int) -> NDArray[np.float32]:
    """The picture in the top left of a square, in [-1, 1]."""
    height, width = image.shape[:2]
    scale = _SIDE / side
    small = cv2.resize(image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)
    square = np.zeros((1, _SIDE, _SIDE, 3), np.float32)
    square[0, : small.shape[0], : small.shape[1]] = small.astype(np.float32) / 127.5 - 1
    return square


def _keep(corners: NDArray[np.float32], scores: NDArray[np.float32]) -> list[int]:
    if not len(scores):
        return []
    rects = np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    return [int(i) for i in cv2.dnn.NMSBoxes(rects.tolist(), scores.tolist(), _THRESHOLD, _NMS_IOU)]


def _face(score: np.float32, corner: NDArray[np.float32]) -> Box:
    x0, y0, x1, y1 = (float(v) for v in np.clip(corner, 0.0, 1.0))
    return Box("face", float(score), x0, y0, x1, y1)
