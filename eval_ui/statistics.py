"""What votes can tell: intervals, tests, agreement. Each is a published method with its name; definitions in docs/rating.md."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Interval = tuple[float, float]
_RESAMPLES = 1_000
_AT_ONCE = 100  # resamples in memory together
_LEAST = 2  # items or raters that can be resampled, units that can agree


def wilson(hits: int, whole: int) -> Interval | None:
    """The 95% Wilson score interval of a share (Wilson 1927); None of nothing."""
    if not whole:
        return None
    interval = binomtest(hits, whole).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def sign_test(wins: int, losses: int) -> float | None:
    """The exact two-sided probability of so uneven a split if neither side were better; ties are left out."""
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else None


def alpha(units: NDArray[np.int64], values: NDArray[np.int64]) -> float | None:
    """Krippendorff's alpha for nominal answers: 1 agreement, 0 chance. None where fewer than two units
    have several votes, or all of them say the same.

    `units` (n,) names what each vote is on, `values` (n,) what it says (0 … 3).
    """
    if not units.size:
        return None
    _, place = np.unique(units, return_inverse=True)
    counts = np.zeros((place.max() + 1, 4), np.int64)
    np.add.at(counts, (place, values), 1)
    shared = counts[counts.sum(axis=1) > 1]
    if len(shared) < _LEAST or (shared.sum(axis=0) > 0).sum() < 2:
        return None
    import krippendorff

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(krippendorff.alpha(value_counts=shared, level_of_measurement="nominal"))


def clustered(
    items: NDArray[np.int64], raters: NDArray[np.int64], rows: NDArray[np.bool_], hits: NDArray[np.bool_], seed: int = 0
) -> list[Interval | None]:
    """95% percentile intervals of shares, over resampled items and, independently, raters (the pigeonhole bootstrap, Owen 2007).

    Votes on one item, or of one rater, are not independent; so whole items and whole raters are drawn again. `items`, `raters`
    (n,) are indices; `rows` (n, k) tells which votes belong to each of k shares, `hits` (n, k) which of these count in it.
    """
    if not items.size:
        return [None] * rows.shape[1]
    rng, sums = np.random.default_rng(seed), []
    columns = np.concatenate([rows & hits, rows], axis=1).astype(np.float32)
    for _ in range(_RESAMPLES // _AT_ONCE):
        weights = _drawn(rng, int(items.max()) + 1)[:, items] * _drawn(rng, int(raters.max()) + 1)[:, raters]
        sums.append(weights @ columns)
    told: NDArray[np.float32] = np.concatenate(sums)
    wins, whole = told[:, : rows.shape[1]], told[:, rows.shape[1] :]
    shares = np.divide(wins, whole, out=np.full_like(wins, np.nan), where=whole > 0)
    return [_interval(shares[:, k], items[rows[:, k]], raters[rows[:, k]]) for k in range(rows.shape[1])]


def _drawn(rng: np.random.Generator, number: int) -> NDArray[np.float32]:
    """How often each of `number` is drawn, in `_AT_ONCE` resamples of that many."""
    picks = rng.integers(number, size=(_AT_ONCE, number))
    picks += number * np.arange(_AT_ONCE)[:, None]
    return np.bincount(picks.ravel(), minlength=_AT_ONCE * number).reshape(_AT_ONCE, number).astype(np.float32)


def _interval(shares: NDArray[np.float32], items: NDArray[Any], raters: NDArray[Any]) -> Interval | None:
    if max(np.unique(items).size, np.unique(raters).size) < _LEAST or np.isnan(shares).all():
        return None
    low, high = np.nanpercentile(shares, (2.5, 97.5))
    return float(low), float(high)
