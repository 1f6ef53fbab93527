"""How long the scoring of a large log takes: half of 100,000 events are expected, half are turns."""

from __future__ import annotations

import time

import numpy as np

from joyvl_app.bench import Result
from joyvl_app.evals.cases import Case, CaseSpec, Expected
from joyvl_app.evals.matching import Turn
from joyvl_app.evals.metrics import Run, count, scores

_EVENTS = 50_000
_WORDINGS = 5_000
_SECONDS = 80_000.0


def measure() -> Result:
    case, run = made_up()
    began = time.perf_counter()
    figures = scores([count(case, run).counts])
    seconds = time.perf_counter() - began
    return Result({"metrics_seconds": seconds, "recall": figures["recall"]}, {"metrics_seconds": ("<=", 2.0)})


def made_up(seed: int = 1) -> tuple[Case, Run]:
    """A case of 50,000 events over a day, and a run that answers most of them within the window."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, _SECONDS, _EVENTS))
    events = tuple(Expected(t=float(t), accept=(f"thing {i % _WORDINGS}",)) for i, t in enumerate(times))
    late = rng.uniform(-1.5, 2.5, _EVENTS)
    turns = [Turn(float(t + d), f"I see thing {i % _WORDINGS}.") for i, (t, d) in enumerate(zip(times, late, strict=True))]
    spec = CaseSpec(id="large", capability="monitoring", events=events, quiet=())
    return Case(spec, "made up", "test", "none", "rendered", _SECONDS), Run(turns=sorted(turns, key=lambda turn: turn.t))
