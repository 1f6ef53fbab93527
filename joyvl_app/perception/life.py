"""Is a person alive or a picture of one? What lives moves within its outline; a poster stays as it is, in any light."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from joyvl_app.domain import Box, Image
from joyvl_app.perception.motion import Grey, thumbnail

_SIZE = (320, 240)
_BACK = 4  # looks to look back on: two seconds
_LEAST_STEP = 10.0  # grey levels that a pixel must differ by
_NOISE_STEPS = 5.0  # times the measured noise
_LIVING = 0.015  # share of the outline that must differ
_NEW = 0.4  # share that differs where somebody has just come: sign enough
_LIGHT = 1.02  # the change of brightness up to which two looks may be compared
_CUT, _AFTER_CUT = 0.5, 1.2  # correlation below which it is another scene; seconds in which all that it shows is found
_SIGNS = 2  # looks that must show it
_LEAST_FREE = 0.3  # of the outline must be free of others
_WAIT = 2.2  # seconds in which somebody who sat there from the start shows that they live
_MOST = 200


@dataclass
class _Known:
    since: float
    signs: int = 0  # looks in which something moved within the outline


class LifeWatch:
    """Follows tracks by number; `living` tells those that are known to live, `picture` those that never moved."""

    def __init__(self) -> None:
        self._past: deque[tuple[Grey, list[Box]]] = deque(maxlen=_BACK)
        self._known: dict[int, _Known] = {}
        self._cut_at = float("-inf")
        self._frozen = True  # a still picture shows no life at all: there everybody counts

    def observe(self, t: float, image: Image, boxes: list[Box]) -> None:
        """Take in one look and its tracked people."""
        now = thumbnail(image, _SIZE)
        step = max(_LEAST_STEP, _NOISE_STEPS * self._noise(now))
        if self._past and _alike(now, self._past[-1][0]) < _CUT:
            self._past.clear()  # another scene: what it shows cannot be told from a picture by what was there before
            self._known.clear()
            self._cut_at = t
        past = [(then, before) for then, before in self._past if _same_light(now, then)]
        for box in boxes:
            known = self._known.setdefault(box.track, _Known(t, _SIGNS if t - self._cut_at <= _AFTER_CUT else 0))
            if known.signs < _SIGNS:
                moved = max((_moved(now, then, box, _others(box, boxes, before), step) for then, before in past), default=0.0)
                known.signs += _SIGNS if moved >= _NEW else int(moved >= _LIVING)
        self._past.append((now, boxes))
        if len(self._known) > _MOST:
            there = {box.track for box in boxes}
            self._known = {number: known for number, known in self._known.items() if number in there}

    def living(self, box: Box) -> bool:
        return self._frozen or self._known[box.track].signs >= _SIGNS

    def picture(self, box: Box, t: float) -> bool:
        """Whether it has been there long enough without a sign of life."""
        return not self.living(box) and t - self._known[box.track].since >= _WAIT

    def _noise(self, now: Grey) -> float:
        if not self._past:
            return 1.0
        size = np.abs(now - self._past[-1][0])
        self._frozen = self._frozen and not size.any()
        return float(np.median(size)) * 1.48


def _alike(now: Grey, then: Grey) -> float:
    """Correlation of two looks: a lamp leaves it high, a cut does not."""
    a, b = now - now.mean(), then - then.mean()
    return float((a * b).mean() / max(1e-6, float(a.std() * b.std())))


def _same_light(now: Grey, then: Grey) -> bool:
    """Whether most of the picture is as bright as it was: while a lamp goes on, nothing tells life from light."""
    ratio = float(np.median((now + 1.0) / (then + 1.0)))
    return 1 / _LIGHT < ratio < _LIGHT


def _others(box: Box, now: Sequence[Box], then: Sequence[Box]) -> list[Box]:
    """Who else is there, and was: a picture that somebody walks past has not moved."""
    return [other for other in (*now, *then) if other.track != box.track]


def _moved(now: Grey, then: Grey, box: Box, others: Sequence[Box], step: float) -> float:
    """The share of what is free of others that differs within the box, once the light is made equal."""
    height, width = now.shape
    free = np.zeros(now.shape, bool)
    free[_window(box, height, width)] = True
    for other in others:
        free[_window(other, height, width)] = False
    a, b = now[free], then[free]
    if a.size < _LEAST_FREE * box.area * now.size:
        return 0.0
    spread = float(b.std())
    gain = float(np.clip(a.std() / spread, 0.5, 2.0)) if spread > 1 else 1.0
    rest = np.abs(a - a.mean() - gain * (b - b.mean()))
    return float((rest > step).mean())


def _window(box: Box, height: int, width: int) -> tuple[slice, slice]:
    rows = slice(int(box.y0 * height), max(int(box.y0 * height) + 2, int(box.y1 * height)))
    return rows, slice(int(box.x0 * width), max(int(box.x0 * width) + 2, int(box.x1 * width)))
