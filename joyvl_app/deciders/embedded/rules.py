"""Rules that watch things come, go and change in number. Each offers an urge to speak; nothing is consumed until it was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Protocol

from joyvl_app.deciders.embedded.phrases import phrase
from joyvl_app.deciders.embedded.scene import Level, Scene
from joyvl_app.deciders.embedded.specs import Appear, Count, Express, Greet, Leave
from joyvl_app.deciders.embedded.words import Target, named, numbered
from joyvl_app.domain import Box

_REARM = 3.0  # seconds a thing must have been away before its return is an event
_GREETED = 6.0  # seconds away until "welcome back"
_SETTLED = 0.6  # seconds that a number must hold
_RESTLESS_LOOKS = 10  # looks for which a wrong number may stand while the true one does not settle
_STEADY_LOOKS = 4
_SETTLED_LOOKS = 3
_FACE_SURE = 0.7


@dataclass(frozen=True)
class Urge:
    """A sentence that wants to be said, with the probability that it should be; `commit` notes that it was.

    One that is not `ripe` (a single look) shows in the curve but is never said, however low the threshold is set.
    """

    p: float
    text: str
    commit: Callable[[], None]
    urgent: bool = False
    boxes: tuple[Box, ...] = field(default=())
    ripe: bool = True


class Rule(Protocol):
    def urge(self, scene: Scene, t: float) -> Urge | None: ...


def certainty(score: float, looks: int) -> float:
    """How sure `looks` agreeing looks of this score make us: one is never enough by itself, two good ones are."""
    return 1.0 - (1.0 - 0.52 * min(score, 0.95)) ** looks


class AppearRule:
    """Announces each rise of the number in view above what was announced; falls of some seconds re-arm it."""

    def __init__(self, spec: Appear) -> None:
        self._spec, self._level = spec, 0

    def urge(self, scene: Scene, t: float) -> Urge | None:
        levels = [_at_least(self._spec.least, level) for level in scene.levels(self._spec.target.labels)]
        if not levels:
            return None
        self._rearm(levels)
        rise = _trailing(levels, lambda level: level.count > self._level)
        if not rise:
            return None
        count = min(level.count for level in rise[-3:])
        score = sum(level.score for level in rise[-3:]) / len(rise[-3:])
        sure, text = certainty(score, len(rise)), self._sentence(count, rise[-1])
        return Urge(sure, text, self._commit(count), self._spec.urgent, rise[-1].boxes, ripe=_lasts(rise))

    def _rearm(self, levels: Sequence[Level]) -> None:
        recent = sorted(level.count for level in levels if levels[-1].t - level.t <= _REARM)
        if levels[-1].t - levels[0].t >= _REARM and len(recent) > 1 and recent[-2] < self._level:
            self._level = recent[-2]  # the second largest: a flicker of one look is no presence either

    def _commit(self, count: int) -> Callable[[], None]:
        def commit() -> None:
            self._level = count

        return commit

    def _sentence(self, count: int, seen: Level) -> str:
        spec, zh = self._spec, self._spec.zh
        target = _named_as_seen(spec.target, seen)
        name = target.name
        if spec.say:
            return spec.say
        if name in ("flame", "motion"):
            return phrase("fire" if name == "flame" else "moved", zh)
        if self._level:
            return phrase(
                "another_person" if name == "person" else "another",
                zh,
                count=count,
                one=named(target, 1, True) if zh else name,
            )
        if name == "person":
            return phrase("came", zh) if count == 1 else phrase("several_came", zh, count=count)
        return phrase("appeared", zh, what=named(target, count, zh))


class LeaveRule:
    """Announces each lasting fall of the number in view; the tracker's patience has already waited out short occlusions."""

    def __init__(self, spec: Leave) -> None:
        self._spec, self._level = spec, 0

    def urge(self, scene: Scene, t: float) -> Urge | None:
        levels = scene.levels(self._spec.target.labels)
        if len(levels) < _STEADY_LOOKS:
            return None
        # Only what was surely there can leave: some looks in a row, of a good score.
        steady = [level for level in levels[-_STEADY_LOOKS:] if level.score >= 0.5]
        if len(steady) == _STEADY_LOOKS:
            self._level = max(self._level, min(level.count for level in steady))
        fall = _trailing(levels, lambda level: level.count < self._level and (level.count == 0 or not self._spec.empty))
        if not fall:
            return None
        count = max(level.count for level in fall)
        return Urge(1.0 - 0.45 ** len(fall), self._sentence(count), self._commit(count))

    def _commit(self, count: int) -> Callable[[], None]:
        def commit() -> None:
            self._level = count

        return commit

    def _sentence(self, count: int) -> str:
        target, zh = self._spec.target, self._spec.zh
        one = named(target, 1, True) if zh else target.name
        if count:
            return phrase("one_left", zh, one=one, count=count)
        return phrase("person_left" if target.name == "person" else "left", zh, one=one)


class CountRule:
    """Announces the number in view whenever it has settled on another one."""

    def __init__(self, spec: Count) -> None:
        self._spec = spec
        self._announced: int | None = 0 if spec.initial else None

    def urge(self, scene: Scene, t: float) -> Urge | None:
        levels = scene.levels(self._spec.target.labels)
        if len(levels) < _SETTLED_LOOKS:
            return None
        value, sure = self._settled(levels)
        if self._announced is None and sure > 0.5:  # "whenever it changes": changes start from the first steady number
            self._announced = value
        if self._announced is None or value == self._announced:
            return None
        return Urge(sure, self._sentence(value), self._commit(value), False, levels[-1].boxes)

    def _settled(self, levels: Sequence[Level]) -> tuple[int, float]:
        """The newest number and how sure it is: three equal looks settle it, two settle a fall, for which the tracker has
        waited already; one that never settles is averaged out."""
        counts = [level.count for level in levels]
        run = len(_trailing(levels, lambda level: level.count == counts[-1]))
        if run == 2 and counts[-1] < (self._announced or 0) and len(set(counts[-5:])) == 2:
            return counts[-1], 0.55
        if run < _SETTLED_LOOKS and len(_trailing(levels, lambda level: level.count != self._announced)) >= _RESTLESS_LOOKS:
            return median_low(counts), 0.55
        return counts[-1], 1.0 - 0.72**run if levels[-1].t - levels[-run].t >= _SETTLED else 0.3

    def _commit(self, value: int) -> Callable[[], None]:
        def commit() -> None:
            self._announced = value

        return commit

    def _sentence(self, value: int) -> str:
        target, zh = self._spec.target, self._spec.zh
        if value == 0:
            return phrase("count_none", zh, what=named(target, 0, zh), one=named(target, 1, zh))
        return phrase("count", zh, what=numbered(target, value, zh))


class GreetRule:
    """Greets who comes; someone who was away for a while is welcomed back."""

    def __init__(self, spec: Greet) -> None:
        self._spec = spec
        self._present, self._greeted_before = False, False

    def urge(self, scene: Scene, t: float) -> Urge | None:
        levels = scene.levels(("person",), 9.0)
        faces = scene.levels(("face",), 9.0)
        here = [
            Level(a.t, max(a.count, b.count), max(a.score, b.score), b.boxes or a.boxes)
            for a, b in zip(levels, faces, strict=True)
        ]
        if not here:
            return None
        away = _trailing(here, lambda level: level.count == 0)
        if away and here[-1].t - away[0].t >= _GREETED:
            self._present = False
        came = _trailing(here, lambda level: level.count > 0)
        if self._present or not came:
            return None
        text = phrase("welcome_back" if self._greeted_before else "hello", self._spec.zh)
        sure = certainty(came[-1].score, len(came))
        return Urge(sure, text, self._commit, False, came[-1].boxes, ripe=_lasts(came))

    def _commit(self) -> None:
        self._present = self._greeted_before = True


class ExpressRule:
    """Reports an expression once it holds; it must have faded before it is reported again."""

    def __init__(self, spec: Express) -> None:
        self._spec, self._armed = spec, True

    def urge(self, scene: Scene, t: float) -> Urge | None:
        scores = [look.expressions.get(self._spec.kind, 0.0) for look in list(scene.looks)[-8:]]
        if len(scores) >= 6 and max(scores[-6:]) < 0.4:
            self._armed = True
        shown = 0
        for score in reversed(scores):
            if score < _FACE_SURE:
                break
            shown += 1
        if not self._armed or not shown:
            return None
        faces = scene.now.faces if scene.now else ()
        text = phrase(self._spec.kind, self._spec.zh)
        return Urge(1.0 - 0.62**shown, text, self._commit, False, faces, ripe=shown > 1)

    def _commit(self) -> None:
        self._armed = False


def _at_least(least: int, level: Level) -> Level:
    """A level with fewer than `least` counts as empty."""
    return level if level.count >= least else Level(level.t, 0, 0.0)


def _named_as_seen(target: Target, level: Level) -> Target:
    """Of several possible things, the one that is there."""
    labels = {box.label for box in level.boxes}
    return Target(tuple(labels), labels.pop()) if len(target.labels) > 1 and len(labels) == 1 else target


def _lasts(run: Sequence[Level]) -> bool:
    """Whether a run is more than the flicker of one look."""
    return len(run) > 1 and run[-1].t - run[0].t >= 0.3


def _trailing(levels: Sequence[Level], holds: Callable[[Level], bool]) -> list[Level]:
    """The newest levels, without a gap, for which it holds; oldest first."""
    run: list[Level] = []
    for level in reversed(levels):
        if not holds(level):
            break
        run.append(level)
    return run[::-1]
