"""Flames: colour, flicker and growth together, in the shape of a flame.

A red jacket has the colour but walks, a lamp glows but is steady, a printed box flickers as it is turned but is neither
solid nor brightest at its foot. Tuned on rendered flames and on real things that are none; no real fire was measured.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from joyvl_app.domain import Box, Image

_SIZE = (160, 120)
_LEAST_AREA = 0.0008  # of the picture
_MOST_AREA = 0.4
_LOOKS = 8
_CERTAIN = 0.6
_BURNING = 4  # looks in a row that must show it: one and a half seconds
Mask = NDArray[np.bool_]


def flame_mask(image: Image) -> tuple[Mask, NDArray[np.float32]]:
    """Pixels of fire colour that hang together around a bright core, and the green channel (its glow), both (120, 160)."""
    small = cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA).astype(np.int16)
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    fiery = (red > 150) & (red > green + 15) & (green >= blue) & (red - blue > 60)
    core = (red > 205) & (green > 100) & (blue < 0.7 * red) & (green < 0.97 * red)
    count, labels = cv2.connectedComponents((fiery | core).astype(np.uint8))
    lit = np.zeros(count, bool)
    lit[np.unique(labels[core])] = True
    lit[0] = False
    return lit[labels], green.astype(np.float32)


@dataclass(frozen=True)
class _Region:
    """The largest fire-coloured region of one look, with its bounds in pixels (bottom and right exclusive)."""

    mask: Mask
    top: int
    bottom: int
    left: int
    right: int
    glow: float  # correlation of brightness with depth: a flame is brightest at its foot

    @property
    def area(self) -> float:
        return float(self.mask.mean())


class FlameWatch:
    """Follows the largest fire-coloured region over the last looks; `observe` returns a box labelled "flame", or None."""

    def __init__(self) -> None:
        self._past: deque[_Region | None] = deque(maxlen=_LOOKS)
        self._least: float | None = None
        self._burns = False

    def observe(self, image: Image) -> Box | None:
        region = _largest(*flame_mask(image))
        self._past.append(region)
        area = region.area if region else 0.0
        self._burns = self._burns and any(self._past)
        if not self._burns:
            self._least = area if self._least is None else min(area, self._least * 1.02 + 1e-5)
        burning = [seen for seen in list(self._past)[-_BURNING:] if seen]
        if region is None or len(burning) < _BURNING or not _LEAST_AREA <= area <= _MOST_AREA:
            return None
        score = min(1.0, _flicker(burning) / 0.25) * _anchored(burning) * _flame_like(burning)
        score *= 1.0 if self._burns else self._growth(area)  # growth begins a fire; one that burns need not grow
        self._burns = self._burns or score >= _CERTAIN
        return _around(region, score) if score > 0.2 else None

    def _growth(self, area: float) -> float:
        """1 when the region has at least doubled since it was smallest; a region as old as the watch must grow too."""
        assert self._least is not None
        return min(1.0, max(0.0, area / max(self._least, _LEAST_AREA / 4) - 1.0))


def _largest(mask: Mask, green: NDArray[np.float32]) -> _Region | None:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    number = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    left, top, width, height = (int(v) for v in stats[number, :4])
    inside = labels == number
    rows, light = np.nonzero(inside)[0], green[inside]
    glow = float(np.corrcoef(rows, light)[0, 1]) if np.ptp(rows) and np.ptp(light) else 0.0
    return _Region(inside, top, top + height, left, left + width, glow)


def _flicker(burning: list[_Region]) -> float:
    """How much the outline changes from look to look, as a share of the region, in the steadiest pair: 0 for a still thing."""
    pairs = itertools.pairwise(burning)
    return min(float((a.mask ^ b.mask).sum()) / float((a.mask | b.mask).sum()) for a, b in pairs)


def _anchored(burning: list[_Region]) -> float:
    """1 when the foot of the region stays where it is while the rest moves: fire stays on what burns, a hand does not."""
    height = max(region.bottom - region.top for region in burning)
    width = max(region.right - region.left for region in burning)
    feet = [region.bottom for region in burning]
    centres = [_foot(region) for region in burning]
    drift = max((max(feet) - min(feet)) / max(height, 6), (max(centres) - min(centres)) / max(width, 6))
    return float(np.clip(1.6 - 4.0 * drift, 0.0, 1.0))


def _flame_like(burning: list[_Region]) -> float:
    """1 for a solid region that is brightest at its foot."""
    glow = sum(region.glow for region in burning) / len(burning)
    solid = sum(_solidity(region) for region in burning) / len(burning)
    return float(np.clip((glow - 0.1) / 0.25, 0, 1) * np.clip((solid - 0.68) / 0.12, 0, 1))


def _solidity(region: _Region) -> float:
    """The region's share of its convex hull."""
    points = np.argwhere(region.mask)[:, ::-1].astype(np.int32)
    return min(1.0, len(points) / max(1.0, float(cv2.contourArea(cv2.convexHull(points)))))


def _foot(region: _Region) -> float:
    """Where the lowest quarter of the region stands, in columns."""
    low = region.mask[region.bottom - max(1, (region.bottom - region.top) // 4) : region.bottom]
    return float(np.nonzero(low)[1].mean())


def _around(region: _Region, score: float) -> Box:
    height, width = region.mask.shape
    return Box("flame", score, region.left / width, region.top / height, region.right / width, region.bottom / height)
