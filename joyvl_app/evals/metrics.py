"""Scores of runs: timing, content, false alarms per quiet hour, duplicates, delegation, age. Definitions: docs/evaluation.md.

A run is counted once (`count`), counts of cases add up, and intervals come from resampling cases (percentile bootstrap)
or, for false alarms, from the exact Poisson distribution.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from joyvl_app.evals.cases import Case, Expected, Span
from joyvl_app.evals.matching import Contents, Turn, match, match_anywhere
from joyvl_app.events import Answered, Decided, DelegationChanged, Event, Spoken, State, TickLate

_RESAMPLES = 2_000
_OPEN = 20  # newest events without content that a turn may repeat
_WIDE = 2.0  # seconds of the second timing window that is reported


@dataclass
class Run:
    """What a log says of one case: turns of its own accord, delegations, and how old its decisions were."""

    turns: list[Turn] = field(default_factory=list)
    delegated: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    skipped: int = 0
    error: str = ""  # the first thing that went wrong: such a run is no result


def read_run(events: Iterable[Event]) -> Run:
    """The holding sentence of a delegation and its answer belong to the delegation, not to the turns."""
    run, notes = Run(), set()
    digests: dict[str, bool] = {}  # what came back, and whether it is an answer
    spoken: list[Spoken] = []
    for event in events:
        if isinstance(event, Decided):
            run.ages.append(event.age_ms / 1000)
            if event.action == "delegate":
                notes.add(event.t)
        elif isinstance(event, Spoken):
            spoken.append(event)
        elif isinstance(event, DelegationChanged) and event.state == "submitted":
            run.delegated.append(event.t)
        elif isinstance(event, Answered):
            digests[event.digest] = event.state in ("ready", "spoken")
        elif isinstance(event, TickLate):
            run.skipped += event.skipped
        elif isinstance(event, State) and event.name == "error":
            run.error = run.error or event.detail
    for turn in sorted(spoken, key=lambda turn: turn.t_start):
        digest = next((digest for digest in digests if digest and digest in turn.text), None)
        if digest is not None and digests[digest]:
            run.answered.append(turn.t_start)
        rest = turn.text.replace(digest, "").strip() if digest else turn.text
        if rest and turn.decision_t not in notes:  # an answer may come in one breath with something else
            run.turns.append(Turn(turn.t_start, rest, turn.decision_t))
    return run


@dataclass
class Counts:
    """What one case contributes; everything adds up over cases."""

    events: int = 0
    turns: int = 0
    hits: int = 0
    timing_hits: int = 0
    content_hits: int = 0
    wide_hits: int = 0
    duplicates: int = 0
    false_alarms: int = 0
    quiet_seconds: float = 0.0
    hard: int = 0
    delegations: int = 0
    well_delegated: int = 0
    answers_spoken: int = 0
    skipped: int = 0
    delays: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)

    @classmethod
    def total(cls, cases: Iterable[Counts]) -> Counts:
        whole = cls()
        for case in cases:
            for f in fields(cls):
                value = getattr(case, f.name)
                if isinstance(value, list):
                    getattr(whole, f.name).extend(value)
                else:
                    setattr(whole, f.name, getattr(whole, f.name) + value)
        return whole


@dataclass
class Outcome:
    """One case's counts, and which event was answered by which turn (for timelines)."""

    counts: Counts
    hits: dict[int, int]
    duplicates: set[int]
    false_alarms: set[int]


def count(case: Case, run: Run) -> Outcome:
    """Match a run against its case."""
    expected = [event for event in case.spec.events if event.kind == "speak"]
    hard = [event for event in case.spec.events if event.kind == "delegate"]
    contents = Contents(run.turns)
    windows = [event.window for event in expected]
    hits = match(expected, run.turns, contents, windows)
    repeats = _duplicates(expected, run.turns, contents, hits)
    alarms = _false_alarms(run.turns, case.quiet)
    delegated = match(hard, [Turn(t, "") for t in run.delegated], None, [event.window for event in hard])
    counts = Counts(
        events=len(expected),
        turns=len(run.turns),
        hits=len(hits),
        timing_hits=len(match(expected, run.turns, None, windows)),
        content_hits=len(match_anywhere(expected, run.turns, contents)),
        wide_hits=len(match(expected, run.turns, contents, [_wide(event) for event in expected])),
        duplicates=len(repeats),
        false_alarms=len(alarms),
        quiet_seconds=sum(end - start for start, end in case.quiet),
        hard=len(hard),
        delegations=len(run.delegated),
        well_delegated=len(delegated),
        answers_spoken=len(run.answered),
        skipped=run.skipped,
        delays=[run.turns[turn].t - expected[event].t for event, turn in hits.items()],
        ages=run.ages,
    )
    return Outcome(counts, hits, repeats, alarms)


def _wide(event: Expected) -> Span:
    start, end = event.window
    return min(start, event.t - _WIDE), max(end, event.last + _WIDE)


def _duplicates(events: Sequence[Expected], turns: Sequence[Turn], contents: Contents, hits: dict[int, int]) -> set[int]:
    """Turns that answered nothing, but say again what an event already answered wanted. An event that any content answers is
    repeated only within its own window."""
    answers = sorted((turn, event) for event, turn in hits.items())
    used, said = set(hits.values()), set[int]()
    open_windows: list[Span] = []
    repeats, place = set(), 0
    for number, turn in enumerate(turns):
        while place < len(answers) and answers[place][0] < number:
            event = events[answers[place][1]]
            if event.accept or event.like:
                said |= contents.accepted(event)
            else:
                open_windows.append(event.window)
            place += 1
        again = contents.number[turn.text] in said or any(start <= turn.t <= end for start, end in open_windows[-_OPEN:])
        if again and number not in used:
            repeats.add(number)
    return repeats


def _false_alarms(turns: Sequence[Turn], quiet: Sequence[Span]) -> set[int]:
    starts = [start for start, _ in quiet]
    found = set()
    for place, turn in enumerate(turns):
        span = bisect_right(starts, turn.t) - 1
        if span >= 0 and turn.t < quiet[span][1]:
            found.add(place)
    return found


def scores(cases: Sequence[Counts], seed: int = 0) -> dict[str, Any]:
    """All figures over some cases, with 95% intervals. A figure that nothing defines is None."""
    total = Counts.total(cases)
    return {
        "f1": _f1(total.hits, total.turns, total.events),
        "precision": _share(total.hits, total.turns),
        "recall": _share(total.hits, total.events),
        "timing_f1": _f1(total.timing_hits, total.turns, total.events),
        "content_f1": _f1(total.content_hits, total.turns, total.events),
        "wide_f1": _f1(total.wide_hits, total.turns, total.events),
        "f1_ci": _bootstrap([(c.hits, c.turns, c.events) for c in cases], seed),
        "timing_f1_ci": _bootstrap([(c.timing_hits, c.turns, c.events) for c in cases], seed),
        "delay_p50": _percentile(total.delays, 50),
        "delay_p95": _percentile(total.delays, 95),
        "false_alarms": total.false_alarms,
        "quiet_hours": total.quiet_seconds / 3600,
        "false_alarms_per_quiet_hour": _share(total.false_alarms, total.quiet_seconds / 3600),
        "fa_ci": poisson_interval(total.false_alarms, total.quiet_seconds / 3600),
        "duplicate_ratio": _share(total.duplicates, total.turns) if total.turns else 0.0,
        "delegation_precision": _share(total.well_delegated, total.delegations),
        "delegation_recall": _share(total.well_delegated, total.hard),
        "answers_spoken": total.answers_spoken,
        "decision_age_p50": _percentile(total.ages, 50),
        "decision_age_p95": _percentile(total.ages, 95),
        "decision_age_max": max(total.ages, default=None),
        "ticks_skipped": total.skipped,
        "n_events": total.events,
        "n_turns": total.turns,
        "n_hard": total.hard,
        "n_cases": len(cases),
    }


def poisson_interval(number: int, hours: float) -> tuple[float, float] | None:
    """Exact 95% interval of a rate: zero alarms in T hours still leave up to 3.69/T."""
    if hours <= 0:
        return None
    low = float(chi2.ppf(0.025, 2 * number)) / 2 if number else 0.0
    return low / hours, float(chi2.ppf(0.975, 2 * number + 2)) / 2 / hours


def resampled(rows: NDArray[Any], seed: int = 0) -> NDArray[Any]:
    """Sums over resampled cases; `rows` is (cases, figures). The same seed draws the same cases."""
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(rows), size=(_RESAMPLES, len(rows)))
    sums: NDArray[Any] = np.stack([np.bincount(pick, minlength=len(rows)) for pick in picks]) @ rows
    return sums


def bootstrap_f1(rows: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """F1 of resampled cases; `rows` is (cases, 3): hits, turns, events."""
    sums = resampled(rows, seed)
    both = sums[:, 1] + sums[:, 2]
    result: NDArray[np.float64] = np.divide(2.0 * sums[:, 0], both, out=np.zeros(len(sums)), where=both > 0)
    return result


def _bootstrap(rows: list[tuple[int, int, int]], seed: int) -> tuple[float, float] | None:
    if not any(events for _, _, events in rows):
        return None
    low, high = np.percentile(bootstrap_f1(np.array(rows), seed), (2.5, 97.5))
    return float(low), float(high)


def _f1(hits: int, turns: int, events: int) -> float | None:
    """None when nothing was expected: F1 says nothing there. An empty log on an expectation is 0."""
    return 2 * hits / (turns + events) if events else None


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None
