"""Endless, seeded, time-aligned episodes: each is a screenplay, what is asked over it, and what should be said when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from joyvl_app.domain import Image
from joyvl_app.evals.cases import Capability, CaseSpec, Expected, Said
from joyvl_app.evals.render.film import looks
from joyvl_app.evals.render.screenplay import Screenplay
from joyvl_app.train.families import FAMILIES
from joyvl_app.train.script import Script
from joyvl_app.train.staging import Presence, Stage
from joyvl_app.train.talks import Line, Talk
from joyvl_app.train.worlds import WORLDS, Kind

LENGTHS = (24, 49)  # seconds of an episode
# What is trained on is mostly shorter, so that more is asked, and now and then as long as a whole chunk.
_TRAINED = {(18, 33): 0.80, (33, 61): 0.15, (61, 101): 0.05}
_NAMES = tuple(FAMILIES)
# As small as the small model takes them: four vision tokens. Most of them put the next second as far away as a usual picture
# does, which is four tokens wide; the others keep it from counting tokens instead of reading the time.
_SHAPES = ((32, 128), (32, 128), (32, 128), (32, 160), (64, 64))
_EMPTY: tuple[Image, ...] = tuple(np.full((*shape, 3), 128, np.uint8) for shape in _SHAPES)


def _shares(kind: Kind) -> NDArray[np.float64]:
    weights = np.array([family.share + (family.trained if kind == "train" else 0.0) for family in FAMILIES.values()])
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


_SHARES = {kind: _shares(kind) for kind in WORLDS}


@dataclass(frozen=True)
class Episode:
    """`talk` trains, `case` evaluates; both are of the same clip, which `play` draws."""

    talk: Talk
    play: Screenplay
    case: CaseSpec
    there: tuple[Presence, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing is shown in it that matters."""
        return FAMILIES[self.talk.family].empty

    def pictures(self) -> list[Image]:
        """One for each second; the same empty one where nothing is to be seen, which is looked at once."""
        if self.empty:
            return [_EMPTY[self.play.seed % len(_EMPTY)]] * self.talk.seconds
        return list(looks(self.play, range(self.talk.seconds)))


def episode(kind: Kind, seed: int, family: str | None = None) -> Episode:
    """The episode of this world and seed, always the same one; `family` is drawn unless it is named."""
    world = WORLDS[kind]
    rng = np.random.default_rng((world.number, seed))
    drawn = str(rng.choice(_NAMES, p=_SHARES[kind]))
    name = family or drawn
    stage = Stage(rng, world, _length(rng, kind, name), crowd=bool(rng.integers(3)))
    script = Script()
    FAMILIES[name].write(stage, script)
    talk = Talk(
        f"{kind}-{seed:07d}-{name}", name, stage.seconds, tuple(script.questions),
        tuple(script.responses), tuple(script.results),
    )  # fmt: skip
    return Episode(talk, stage.play(seed), _case(talk, script, FAMILIES[name].capability), tuple(stage.there))


def _length(rng: np.random.Generator, kind: Kind, family: str) -> int:
    if own := FAMILIES[family].seconds:
        return int(rng.integers(*own))
    if kind != "train":
        return int(rng.integers(*LENGTHS))
    lengths = list(_TRAINED)
    return int(rng.integers(*lengths[int(rng.choice(len(lengths), p=list(_TRAINED.values())))]))


def _case(talk: Talk, script: Script, capability: Capability) -> CaseSpec:
    first, *later = talk.questions or (Line(0.0, ""),)
    at_once = first.t == 0
    return CaseSpec(
        id=talk.id,
        capability=capability,
        instruction=first.text if at_once else "",
        instructions=tuple(Said(t=line.t, text=line.text) for line in (later if at_once else talk.questions)),
        events=tuple(
            Expected(t=t, accept=accept, kind="delegate" if line.delegates else "speak")
            for line, (t, accept) in zip(script.responses, script.events, strict=True)
        ),
    )
