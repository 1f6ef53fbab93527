"""A small temporal head: what the rules see of a second → the probability that their urge should be spoken now.

One GRU step a second and rule over FEATURES numbers; three outputs: silence, respond, delegate. Weights: assets/models, made by
joyvl_app/train/head.py with the recipe's loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from joyvl_app.deciders.embedded.rules import Urge
from joyvl_app.deciders.embedded.scene import Level, Scene
from joyvl_app.deciders.embedded.specs import Appear, Count, Express, Greet, Leave, Read, Slides, Spec, Spot, Timer
from joyvl_app.errors import MissingPart
from joyvl_app.perception.models import MODELS

_KINDS: tuple[type[Spec], ...] = (Appear, Leave, Count, Read, Spot, Slides, Greet, Express, Timer)
_LEVELS = 6  # looks, about three seconds
FEATURES = len(_KINDS) + 19
SILENCE, RESPOND, DELEGATE = range(3)
Vector = NDArray[np.float32]


@dataclass
class Trace:
    """What a rule remembers for the head: when it was given, when its urge began, when it last spoke, and what."""

    given: float
    since: float | None = None
    spoke: float = -1e9
    said: str = ""


def features(spec: Spec, urge: Urge | None, scene: Scene, trace: Trace, t: float) -> Vector:
    """(FEATURES,) float32, each number about between -1 and 3."""
    trace.since = None if urge is None else t if trace.since is None else trace.since
    values = [float(isinstance(spec, kind)) for kind in _KINDS]
    values += _of_urge(urge, trace, t) + _of_levels(_levels(spec, scene)) + _of_scene(scene)
    values += [_age(t - trace.given), _age(t - trace.spoke), float(urge is not None and urge.text == trace.said)]
    return np.array(values, np.float32)


def _of_urge(urge: Urge | None, trace: Trace, t: float) -> list[float]:
    if urge is None:
        return [0.0] * 5
    return [1.0, urge.p, float(urge.ripe), float(urge.urgent), _age(t - (trace.since or t))]


def _levels(spec: Spec, scene: Scene) -> list[Level]:
    target = getattr(spec, "target", None)
    labels = ("person", "face") if isinstance(spec, Greet) else target.labels if target else ()
    return scene.levels(labels)[-_LEVELS:] if labels else []


def _of_levels(levels: Sequence[Level]) -> list[float]:
    if not levels:
        return [0.0] * 7
    counts, scores = [level.count for level in levels], [level.score for level in levels]
    area = max((box.area for box in levels[-1].boxes), default=0.0)
    there = sum(count > 0 for count in counts) / len(counts)
    return [counts[-1] / 4, scores[-1], sum(scores) / len(scores), min(scores), there, (counts[-1] - counts[0]) / 2, area]


def _of_scene(scene: Scene) -> list[float]:
    now = scene.now
    if now is None:
        return [0.0] * 4
    moving = [look.change.moving for look in list(scene.looks)[-_LEVELS:]]
    return [_small(moving[-1]), _small(sum(moving) / len(moving)), len(scene.board.visible) / 6, float(bool(now.faces))]


def _small(share: float) -> float:
    return math.log1p(200 * min(1.0, share)) / 3


def _age(seconds: float) -> float:
    return math.log1p(min(600.0, max(0.0, seconds))) / 3


class Head:
    """The network in numpy: a layer, a GRU, three outputs."""

    def __init__(self, weights: dict[str, Vector]) -> None:
        self._w = weights
        self.size = weights["hidden_bias"].shape[0] // 3

    @classmethod
    def load(cls, path: Path = MODELS / "embedded-head.npz") -> Head:
        """Raises MissingPart when the weights are absent or damaged."""
        try:
            with np.load(path) as stored:
                return cls({name: stored[name].astype(np.float32) for name in stored.files})
        except (OSError, ValueError, KeyError) as error:
            raise MissingPart(f"The weight file {path.name} is missing or damaged; get it again with git checkout.") from error

    def step(self, given: Vector, state: Vector) -> tuple[Vector, Vector]:
        """Features and state → probabilities of silence, respond and delegate, and the next state (torch's GRU)."""
        w, size = self._w, self.size
        inner = np.tanh(given @ w["first"].T + w["first_bias"])
        a, b = inner @ w["input"].T + w["input_bias"], state @ w["hidden"].T + w["hidden_bias"]
        reset, keep = _sigmoid(a[:size] + b[:size]), _sigmoid(a[size : 2 * size] + b[size : 2 * size])
        new = np.tanh(a[2 * size :] + reset * b[2 * size :])
        state = (1 - keep) * new + keep * state
        scores = state @ w["out"].T + w["out_bias"]
        chances = np.exp(scores - scores.max())
        return chances / chances.sum(), state


class Judge:
    """One session's: a state for each rule."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._states: dict[Spec, Vector] = {}
        self._traces: dict[Spec, Trace] = {}

    def judge(self, spec: Spec, urge: Urge | None, scene: Scene, t: float) -> Urge | None:
        """The urge with the head's probability in place of the rule's."""
        trace = self._traces.setdefault(spec, Trace(t))
        state = self._states.get(spec, np.zeros(self._head.size, np.float32))
        chances, self._states[spec] = self._head.step(features(spec, urge, scene, trace, t), state)
        if urge is None:
            return None

        def commit() -> None:
            trace.spoke, trace.said = t, urge.text
            urge.commit()

        return replace(urge, p=float(1 - chances[SILENCE]), ripe=True, commit=commit)


def _sigmoid(x: Vector) -> Vector:
    return np.asarray(1.0 / (1.0 + np.exp(-x)), np.float32)
