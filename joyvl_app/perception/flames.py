"""Flames: colour, flicker and novelty together, in the shape of a flame.

A red jacket has the colour but walks, a lamp glows but is steady, a printed box flickers as it is turned but is neither
solid nor brightest at its foot, a sunset was there before. Tuned on rendered flames and on real things that are none; no
real fire was measured.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from joyvl_app.domain import Box, Image

_SIZE = (160, 120)
_LEAST_AREA = 0.0008  # of the picture
_MOST_AREA = 0.4
_LOOKS = 8
_CERTAIN = 0.6
_FLICKER = 0.2  # share of the outline that changes from look to look
_BURNING = 4  # looks in a row that must show it: one and a half seconds
_REGIONS = 4  # followed in each look, the largest ones
_SAME_PLACE = 0.3  # overlap of the bounds of one fire in two looks
_GETS_USUAL = 0.03  # share by which a look adds to what is usual: half of it after some twelve seconds
Mask = NDArray[np.bool_]


def flame_mask(image: Image) -> tuple[Mask, NDArray[np.float32]]:
    """Pixels of fire colour that hang together around a bright core, and the green channel (its glow), both (120, 160)."""
    small = cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA).astype(np.int16)
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    fiery = (red > 150) & (red > green + 15) & (green >= blue) & (red - blue > 60)
    core = (red > 205) & (green > 100) & (blue < 0.7 * red) & (green < 0.97 * red)
    glowing = core | ((red > 225) & (green > 190) & (red - blue > 60))  # the yellow heart of a large fire
    count, labels = cv2.connectedComponents((fiery | glowing).astype(np.uint8))
    lit = np.zeros(count, bool)
    lit[np.unique(labels[core])] = True
    lit[0] = False
    return lit[labels], green.astype(np.float32)


@dataclass(frozen=True)
class _Region:
    """One fire-coloured region of one look, with its bounds in pixels (bottom and right exclusive)."""

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
    """Follows the fire-coloured regions of the last looks; `observe` returns a box labelled "flame", or None."""

    def __init__(self) -> None:
        self._past: deque[list[_Region]] = deque(maxlen=_LOOKS)
        self._usual: NDArray[np.float32] | None = None  # how often each pixel had the colour of fire
        self._burns = False

    def observe(self, image: Image) -> Box | None:
        mask, green = flame_mask(image)
        regions = _regions(mask, green)
        if self._usual is None:
            self._usual = mask.astype(np.float32)  # what was there from the start is no news
        self._past.append(regions)
        self._burns = self._burns and any(self._past)
        best = max(((self._score(region), region) for region in regions), key=lambda pair: pair[0], default=(0.0, None))
        if not self._burns:  # a fire must not get usual
            self._usual += _GETS_USUAL * (mask - self._usual)
        self._burns = self._burns or best[0] >= _CERTAIN
        return _around(best[1], best[0]) if best[1] and best[0] > 0.2 else None

    def _score(self, region: _Region) -> float:
        chain = self._chain(region)
        if len(chain) < _BURNING or not _LEAST_AREA <= region.area <= _MOST_AREA:
            return 0.0
        burning = chain[-_BURNING:]
        flicker = _flicker(burning)
        score = min(1.0, flicker / _FLICKER) * _anchored(burning) * _flame_like(burning)
        if not self._burns:
            return score * self._novelty(region)
        # One that burns need not be new, and a large one changes its outline less and loses its shape.
        return max(score, _CERTAIN if flicker >= _FLICKER / 3 and len(chain) == _LOOKS else 0.0)

    def _chain(self, region: _Region) -> list[_Region]:
        """The same region in the looks before, newest last, as far back as it can be followed."""
        chain = [region]
        for regions in itertools.islice(reversed(self._past), 1, None):
            before = max(regions, key=lambda other: _shared(other, chain[0]), default=None)
            if before is None or _shared(before, chain[0]) < _SAME_PLACE:
                break
            chain.insert(0, before)
        return chain

    def _novelty(self, region: _Region) -> float:
        """1 where hardly anything had the colour of fire before, 0 where most of it did."""
        assert self._usual is not None
        return float(np.clip((0.75 - self._usual[region.mask].mean()) / 0.35, 0, 1))


def _regions(mask: Mask, green: NDArray[np.float32]) -> list[_Region]:
    """The largest ones, largest first."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    order = sorted(range(1, count), key=lambda number: -int(stats[number, cv2.CC_STAT_AREA]))[:_REGIONS]
    return [_region(labels == number, [int(v) for v in stats[number, :4]], green) for number in order]


def _region(inside: Mask, bounds: list[int], green: NDArray[np.float32]) -> _Region:
    left, top, width, height = bounds
    rows, light = np.nonzero(inside)[0], green[inside]
    glow = float(np.corrcoef(rows, light)[0, 1]) if np.ptp(rows) and np.ptp(light) else 0.0
    return _Region(inside, top, top + height, left, left + width, glow)


def _shared(a: _Region, b: _Region) -> float:
    """Overlap of the bounds over those of the smaller one."""
    width, height = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
    smaller = min((r.right - r.left) * (r.bottom - r.top) for r in (a, b))
    return width * height / smaller if width > 0 and height > 0 else 0.0


def _flicker(burning: list[_Region]) -> float:
    """How much the outline changes from look to look, as a share of the region, in most pairs: 0 for a still thing."""
    pairs = itertools.pairwise(burning)
    return median(float((a.mask ^ b.mask).sum()) / float((a.mask | b.mask).sum()) for a, b in pairs)


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
