"""Answer-centred windows: a few seconds around a response, judged by the evaluation's own metrics (arXiv 2606.14777)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from joyvl_app.dialect import parse
from joyvl_app.domain import Delegate, Respond
from joyvl_app.evals.cases import EARLY, Case
from joyvl_app.evals.matching import Turn
from joyvl_app.evals.metrics import Run, count
from joyvl_app.train.episodes import Episode

BEFORE, AFTER = 2, 3  # seconds of a window around its response
_QUIET = 0.5  # share of windows without a response
_LATE = 0.1  # what a second of delay costs of a hit
_WRONG = 0.5  # what a turn costs that hit nothing …
_AGAIN, _ALARM = 0.5, 1.5  # … and what it costs more as a repetition, as a false alarm


@dataclass(frozen=True)
class Window:
    """Seconds `first` … `last` (exclusive) of an episode in which the model decides; what came before is given."""

    episode: Episode
    first: int
    last: int


def window_of(made: Episode, rng: np.random.Generator) -> Window:
    """Around one response of the episode, or (sometimes, and where it has none) anywhere."""
    seconds, responses = made.talk.seconds, made.talk.responses
    if responses and rng.random() >= _QUIET:
        centre = round(responses[int(rng.integers(len(responses)))].t)
    else:
        centre = int(rng.integers(BEFORE, seconds))
    first = max(0, centre - BEFORE)
    return Window(made, first, min(seconds, centre + AFTER + 1))


def reward_of(window: Window, said: Sequence[tuple[float, str]]) -> float:
    """The worth of what was said at which second: hits less their delay, due silence, no repetition, no needless delegation.

    The counts are the evaluation's own (metrics.count), of events that can be hit from the first picture on that shows them: who
    speaks before has guessed. A turn that says nothing expected costs half of what it could have won, a repetition the whole,
    a false alarm twice as much: a stream has far more seconds in which one can be raised than its windows show.
    """
    run = Run()
    for t, raw in said:
        decision = parse(raw).decision
        if isinstance(decision, Delegate):
            run.delegated.append(t)
        elif isinstance(decision, Respond):
            run.turns.append(Turn(t, decision.text, t))
    counts = count(_case(window), run).counts
    worth = sum(1.0 - _LATE * (delay + EARLY) for delay in counts.delays) + counts.well_delegated
    missed = counts.turns - counts.hits + counts.delegations - counts.well_delegated
    return worth - _WRONG * missed - _AGAIN * counts.duplicates - _ALARM * counts.false_alarms


def _case(window: Window) -> Case:
    """The part of the episode's case that can be answered in the window."""
    events = tuple(
        event.model_copy(update={"t": ceil(event.t) + EARLY, "poll": event.poll - EARLY})
        for event in window.episode.case.events if window.first <= ceil(event.t) < window.last
    )  # fmt: skip
    spec = window.episode.case.model_copy(update={"events": events})
    return Case(spec, "", "dev", "", "rendered", float(window.last))
