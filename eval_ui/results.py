"""The paper's table with what it lacks: aspect × opponent, intervals, a test, agreement, who voted, and who was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval_ui.paper import OVERALL, PAPER
from eval_ui.statistics import Interval, alpha, clustered, sign_test, wilson
from eval_ui.studies import QUESTIONS
from eval_ui.tally import OUTCOMES, Panelist, Tally, Vote

_CODE = {outcome: code for code, outcome in enumerate(OUTCOMES)}
LEAST_RATERS = 15  # valid observers that ITU-R BT.500 asks for


@dataclass(frozen=True)
class Cell:
    """One aspect against one opponent on one question. Shares are of all votes, both-bad apart from tie; `by_item` counts items
    by the majority of their votes (win, tie or undecided, both bad, loss), as the paper counts.
    """

    aspect: str
    opponent: str
    question: str
    counts: dict[str, int]
    by_item: dict[str, int]
    votes: int
    items: int
    raters: int
    win_share: float | None
    wilson: Interval | None
    bootstrap: Interval | None
    decisive_share: float | None
    sign_p: float | None
    alpha: float | None


@dataclass(frozen=True)
class _Columns:
    """Votes as arrays of indices: which item, rater and comparison; what they say (n, questions)."""

    items: NDArray[np.int64]
    raters: NDArray[np.int64]
    comparisons: NDArray[np.int64]
    says: NDArray[np.int64]

    @classmethod
    def of(cls, votes: Sequence[Vote]) -> _Columns:
        says = np.array([[_CODE[vote.outcome(question)] for question in QUESTIONS] for vote in votes], np.int64)
        items = np.unique([vote.item for vote in votes], return_inverse=True)[1]
        raters = np.unique([vote.rater for vote in votes], return_inverse=True)[1]
        return cls(items, raters, np.array([vote.comparison for vote in votes]), says)


def results(tally: Tally, with_flagged: bool = False) -> dict[str, Any]:
    """Everything that the Results page shows, as plain values."""
    votes = tally.rated(with_flagged)
    return {
        "study": tally.study, "title": tally.about["title"], "state": tally.state, "subject": tally.about["subject"],
        "blind": tally.about["blind"], "with_flagged": with_flagged,
        "raters": len({vote.rater for vote in votes}), "votes": len(votes), "comparisons": tally.comparisons,
        "least_raters": LEAST_RATERS,
        "cells": [asdict(cell) for cell in cells(votes)],
        "excluded": [{"rater": one.number, "why": one.flagged} for one in tally.panel.values() if one.flagged],
        "panel": [_record(one) for one in tally.panel.values()],
        "items": _by_item(votes),
        "paper": [
            {"aspect": aspect, "opponent": opponent, **asdict(cell), "wilson": cell.interval}
            for aspect, row in PAPER.items() for opponent, cell in row.items()
        ],
    }  # fmt: skip


def cells(votes: Sequence[Vote]) -> list[Cell]:
    """All cells: for each opponent its aspects, then overall; for each of these the three questions."""
    if not votes:
        return []
    columns, rows = _Columns.of(votes), _rows(votes)
    belongs = np.stack([mask for _, _, mask in rows for _ in QUESTIONS], axis=1)
    wins = np.concatenate([columns.says == _CODE["win"]] * len(rows), axis=1)
    intervals = iter(clustered(columns.items, columns.raters, belongs, wins))
    return [
        _cell(aspect, opponent, number, columns, mask, next(intervals))
        for aspect, opponent, mask in rows for number in range(len(QUESTIONS))
    ]  # fmt: skip


def _rows(votes: Sequence[Vote]) -> list[tuple[str, str, NDArray[np.bool_]]]:
    opponents, aspects = (np.array([getattr(vote, name) for vote in votes]) for name in ("opponent", "aspect"))
    rows = []
    for opponent in dict.fromkeys(opponents.tolist()):
        mine = opponents == opponent
        known = [*PAPER, *aspects[mine].tolist()]  # the paper's order first
        rows += [(aspect, opponent, mask) for aspect in dict.fromkeys(known) if (mask := mine & (aspects == aspect)).any()]
        rows.append((OVERALL, opponent, mine))
    return rows


def _cell(
    aspect: str, opponent: str, question: int, columns: _Columns, mask: NDArray[np.bool_], interval: Interval | None
) -> Cell:
    says, comparisons = columns.says[mask, question], columns.comparisons[mask]
    counts = dict(zip(OUTCOMES, np.bincount(says, minlength=4).tolist(), strict=True))
    whole, decisive = int(mask.sum()), counts["win"] + counts["loss"]
    return Cell(
        aspect, opponent, QUESTIONS[question], counts, _majorities(comparisons, says), whole,
        len(set(comparisons.tolist())), len(set(columns.raters[mask].tolist())),
        counts["win"] / whole, wilson(counts["win"], whole), interval,
        counts["win"] / decisive if decisive else None, sign_test(counts["win"], counts["loss"]), alpha(comparisons, says),
    )  # fmt: skip


def _majorities(comparisons: NDArray[np.int64], says: NDArray[np.int64]) -> dict[str, int]:
    """How many items each outcome carries; where two have as many votes, the item counts as a tie."""
    _, place = np.unique(comparisons, return_inverse=True)
    counts = np.zeros((place.max() + 1, len(OUTCOMES)), np.int64)
    np.add.at(counts, (place, says), 1)
    best = counts.max(axis=1)
    chosen = np.where((counts == best[:, None]).sum(axis=1) > 1, _CODE["tie"], counts.argmax(axis=1))
    return dict(zip(OUTCOMES, np.bincount(chosen, minlength=4).tolist(), strict=True))


def _record(one: Panelist) -> dict[str, Any]:
    """What is worth knowing of a rater: pace, leaning to a side, saying always the same, checks."""
    rated = [vote for vote in one.votes if vote.kind == "rated"]
    said = Counter(vote.answers["overall"] for vote in rated)
    decisive = said["left"] + said["right"]
    return {
        "rater": one.number, "completion": one.completion, "given": one.given, "skipped": one.skipped, "votes": len(rated),
        "corrected": sum(vote.revision > 0 for vote in one.votes),
        "seconds": median(vote.spent for vote in rated) if rated else None,
        "left_share": said["left"] / decisive if decisive else None,
        "same_share": max(said.values()) / len(rated) if rated else None,
        "traps": [one.traps.count(True), len(one.traps)], "golds": [one.golds.count(True), len(one.golds)],
        "device": one.votes[-1].device if one.votes else "", "flagged": one.flagged,
    }  # fmt: skip


def _by_item(votes: Sequence[Vote]) -> list[dict[str, Any]]:
    """Each comparison's votes on the overall question, the most disputed first."""
    by: dict[int, list[Vote]] = {}
    for vote in votes:
        by.setdefault(vote.comparison, []).append(vote)
    told = []
    for mine in by.values():
        counts = Counter(vote.outcome("overall") for vote in mine)
        told.append({
            "comparison": mine[0].comparison, "item": mine[0].item, "aspect": mine[0].aspect, "opponent": mine[0].opponent,
            "counts": {outcome: counts[outcome] for outcome in OUTCOMES}, "votes": len(mine),
            "agreement": max(counts.values()) / len(mine), "seconds": median(vote.spent for vote in mine),
        })  # fmt: skip
    return sorted(told, key=lambda item: (item["agreement"], item["item"]))
