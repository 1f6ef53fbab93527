"""Short-term tracks: the same thing keeps its number from look to look, a flicker of one look never becomes a thing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from joyvl_app.domain import Box

_BIRTH, _KEEP = 0.45, 0.30  # the score a new thing needs, and a known one
_PERSON_BIRTH, _PERSON_KEEP = 0.56, 0.40  # people score high; below this, cones and posts pass for them
_SAME_PLACE = 0.45  # overlap with where a thing was, for a box too weak to be a thing by itself
_FADE = 0.9  # of its score that a thing keeps from look to look
_LARGE = 0.3  # of the picture's height: of small things, the weak boxes are mostly other things (cones, posts)
_WEAK_LOOKS = 3  # in a row
_PATIENCE = 1.1  # seconds a thing may be unseen (behind a post, misread) before it has left
_BRIEF = 0.6  # the same for what was seen but once, and at the picture's sides
_SIDE = 0.04
_REACH = 1.6  # of its own height: how far a thing may move between two looks


@dataclass
class Track:
    """One thing: `hits` looks have shown it, last at `seen`, the last `weak` of them only just."""

    number: int
    box: Box
    began: float
    seen: float
    hits: int = 1
    weak: int = 0

    @property
    def confirmed(self) -> bool:
        return self.hits >= 2

    @property
    def patience(self) -> float:
        """Seconds it may be unseen; what was last seen at the picture's side has most likely walked out of it."""
        at_side = self.box.x0 <= _SIDE or self.box.x1 >= 1 - _SIDE
        return _PATIENCE if self.confirmed and not at_side else _BRIEF


class Tracker:
    """Greedy matching of boxes of one label by overlap, then by distance."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._tracks: list[Track] = []

    def observe(self, t: float, boxes: Sequence[Box]) -> list[Track]:
        """Take in the boxes of one look; returns the things that are believed present."""
        free = [box for box in boxes if box.score >= (_PERSON_KEEP if box.label == "person" else _KEEP)]
        for closeness, track, box in self._pairs(free):
            if track.seen < t and box in free and closeness > 0:
                free.remove(box)
                score = max(box.score, _FADE * track.box.score)  # what was sure a moment ago is not gone for one bad look
                track.box = replace(box, track=track.number, score=score)
                track.seen, track.hits, track.weak = t, track.hits + 1, 0
        self._hold_on(t, boxes)
        for box in free:
            if box.score >= (_PERSON_BIRTH if box.label == "person" else _BIRTH) and not self._covered(box):
                number = next(self._numbers)
                self._tracks.append(Track(number, replace(box, track=number), t, t))
        self._tracks = [track for track in self._tracks if t - track.seen <= track.patience]
        return list(self._tracks)

    def knows(self, box: Box) -> bool:
        """Whether such a thing is being followed there."""
        return any(track.box.label == box.label and _closeness(track.box, box) > 0 for track in self._tracks)

    def _hold_on(self, t: float, boxes: Sequence[Box]) -> None:
        """A known thing that was not matched is still there if even a weak box lies where it was (ByteTrack's second look)."""
        for track in self._tracks:
            large = track.box.y1 - track.box.y0 >= _LARGE
            if large and track.seen < t and track.confirmed and track.weak < _WEAK_LOOKS:
                weak = [box for box in boxes if box.label == track.box.label and overlap(track.box, box) > _SAME_PLACE]
                if weak and all(other is track or overlap(other.box, weak[0]) < _SAME_PLACE for other in self._tracks):
                    track.box = replace(weak[0], track=track.number, score=_FADE * track.box.score)
                    track.seen, track.weak = t, track.weak + 1

    def _pairs(self, boxes: Sequence[Box]) -> list[tuple[float, Track, Box]]:
        pairs = [
            (closeness, track, box)
            for track in self._tracks
            for box in boxes
            if box.label == track.box.label and (closeness := _closeness(track.box, box)) > 0
        ]
        return sorted(pairs, key=lambda pair: -pair[0])

    def _covered(self, box: Box) -> bool:
        """A second box on a thing that was just matched is the same thing seen twice."""
        return any(track.box.label == box.label and overlap(track.box, box) > 0.6 for track in self._tracks)


def overlap(a: Box, b: Box) -> float:
    """Intersection over the smaller area."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / max(1e-9, min(a.area, b.area))


def _closeness(a: Box, b: Box) -> float:
    """Above 0 when the two may be one thing: overlapping counts more than near."""
    (ax, ay), (bx, by) = a.centre, b.centre
    reach = _REACH * max(a.y1 - a.y0, a.x1 - a.x0)
    distance = ((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5
    return 1.0 + overlap(a, b) - distance / reach if distance < reach else 0.0
