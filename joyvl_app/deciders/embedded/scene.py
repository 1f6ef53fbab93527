"""What the watcher believes about the scene: the looks of the last seconds, and when each thing was last there."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from joyvl_app.deciders.embedded.board import TextBoard
from joyvl_app.deciders.embedded.words import VEHICLES
from joyvl_app.domain import Box, Evidence
from joyvl_app.perception.eyes import Look
from joyvl_app.perception.motion import Motion

_LOOKS = 300
_KEPT_SECONDS = 20.0
_BLIND = 3.0  # seconds without a picture after which the last one is no longer the present
_MOST_LABELS = 120
_MOTION_SHARE = 0.004
_SHOWN = 0.48
_FLAME_SURE = 0.6  # the flame's score has already weighed two seconds


@dataclass
class Sighting:
    """When a label was first and last seen, and the start of its present or last stay."""

    first: float
    last: float
    stay: float
    most: int = 1


@dataclass(frozen=True)
class Level:
    """How many of a target one look showed, with the best score among them."""

    t: float
    count: int
    score: float
    boxes: tuple[Box, ...] = ()


class Scene:
    """Updated once a look; rules and questions only read it."""

    def __init__(self) -> None:
        self.t = 0.0
        self.looks: deque[Look] = deque(maxlen=_LOOKS)
        self.board = TextBoard()
        self.motion: Motion | None = None
        self.sightings: dict[str, Sighting] = {}
        self.began: float | None = None

    def observe(self, look: Look) -> None:
        if self.looks:  # only the newest look's thumbnail is ever compared
            self.looks[-1] = replace(self.looks[-1], thumbnail=look.thumbnail)
        self.looks.append(look)
        while look.t - self.looks[0].t > _KEPT_SECONDS:
            self.looks.popleft()
        self.t = look.t
        self.began = look.t if self.began is None else self.began
        for label in {box.label for box in (*_sure(look.things), *look.faces)}:
            self._sight(label, look)
        if self.burning():
            self._sight("flame", look)

    @property
    def now(self) -> Look | None:
        return self.looks[-1] if self.looks else None

    def forget_present(self, t: float) -> None:
        """Without a picture for some seconds there is no present: what was seen stays only as past sightings."""
        if self.looks and t - self.looks[-1].t > _BLIND:
            self.looks.clear()
            self.board.entries.clear()

    def levels(self, labels: Sequence[str], seconds: float = 6.0) -> list[Level]:
        """How many of the labels each look of the last `seconds` showed, newest last."""
        return [_level(look, labels) for look in self.looks if self.t - look.t <= seconds]

    def evidence(self) -> Evidence:
        """What the page draws: things, faces, flame, texts that are believed, and the tags of this second."""
        look = self.now
        if look is None:
            return Evidence()
        boxes = (*_sure(look.things), *look.faces, *(_only(look.flame) if self.burning() else ()))
        tags = [(name, score) for name, score in look.expressions.items() if score >= 0.5]
        if look.change.moving >= _MOTION_SHARE:
            tags.append(("moving", look.change.moving))
        texts = tuple(entry.text for entry in self.board.visible[:12])
        return Evidence(tuple(boxes[:40]), texts, tuple(tags))

    def things(self) -> dict[str, int]:
        """Label → how many are there now, most numerous first; vehicles that overlap are one kind."""
        counts: dict[str, int] = {}
        for box in _sure(self.now.things) if self.now else ():
            counts[box.label] = counts.get(box.label, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def faces_only(self) -> bool:
        """A face is in view, but nobody was found as a person."""
        return bool(self.now and self.now.faces and not any(box.label == "person" for box in self.now.things))

    def burning(self) -> bool:
        return bool(self.now and self.now.flame and self.now.flame.score >= _FLAME_SURE)

    def last_seen(self, labels: Sequence[str]) -> Sighting | None:
        """The latest sighting of any of the labels."""
        known = [self.sightings[label] for label in labels if label in self.sightings]
        return max(known, key=lambda sighting: sighting.last) if known else None

    def _sight(self, label: str, look: Look) -> None:
        count = sum(box.label == label for box in look.things)
        known = self.sightings.get(label)
        if known is None:
            if len(self.sightings) < _MOST_LABELS:
                self.sightings[label] = Sighting(look.t, look.t, look.t, count)
            return
        known.stay = look.t if look.t - known.last > 3.0 else known.stay
        known.last, known.most = look.t, max(known.most, count)


def _level(look: Look, labels: Sequence[str]) -> Level:
    if "flame" in labels:
        burning = look.flame is not None and look.flame.score >= _FLAME_SURE
        return Level(look.t, int(burning), look.flame.score if look.flame else 0.0, _only(look.flame))
    if "motion" in labels:
        moving = look.change.moving
        return Level(look.t, int(moving >= _MOTION_SHARE and moving < 1.0), min(0.9, 0.5 + 20 * moving))
    pool = look.faces if "face" in labels else (*look.things, *look.fresh)
    found = tuple(box for box in pool if box.label in labels)
    if VEHICLES & set(labels):
        found = _distinct(found)
    return Level(look.t, len(found), max((box.score for box in found), default=0.0), found)


def _sure(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Those worth showing and naming: a weaker box keeps a track alive, but is as often wrong as right."""
    return tuple(box for box in boxes if box.score >= _SHOWN)


def _only(box: Box | None) -> tuple[Box, ...]:
    return (box,) if box else ()


def _distinct(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """One box a thing where a car was also taken for a truck."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: -b.score):
        if all(abs(box.centre[0] - k.centre[0]) + abs(box.centre[1] - k.centre[1]) > 0.06 for k in kept):
            kept.append(box)
    return tuple(kept)
