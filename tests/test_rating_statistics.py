"""Intervals, tests and agreement: hand-worked examples, and the libraries of the field."""

from __future__ import annotations

from math import comb
from typing import Any

import krippendorff
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from eval_ui.paper import OVERALL, PAPER
from eval_ui.statistics import alpha, clustered, sign_test, wilson


def test_the_papers_45_of_58_is_65_to_86_percent() -> None:
    interval = wilson(45, 58)
    assert interval is not None and [round(100 * bound) for bound in interval] == [65, 86]
    cell = PAPER[OVERALL]["Doubao"]
    assert (cell.wins, cell.interval) == (45, interval)


def test_ten_of_ten_still_leaves_72_percent() -> None:
    interval = wilson(10, 10)
    assert interval is not None and round(interval[0], 2) == 0.72 and interval[1] == pytest.approx(1.0)
    assert wilson(0, 0) is None


@pytest.mark.parametrize(("hits", "whole"), [(0, 1), (1, 1), (3, 7), (45, 58), (500, 1_000)])
def test_wilson_is_statsmodels(hits: int, whole: int) -> None:
    assert wilson(hits, whole) == pytest.approx(proportion_confint(hits, whole, method="wilson"))


def test_the_sign_test_by_hand() -> None:
    # 9 wins, 1 loss: (C(10,0) + C(10,1)) · 2 / 2^10
    assert sign_test(9, 1) == pytest.approx(2 * (comb(10, 0) + comb(10, 1)) / 2**10)
    assert sign_test(45, 3) == pytest.approx(binomtest(45, 48).pvalue)
    assert sign_test(5, 5) == 1.0
    assert sign_test(0, 0) is None


def test_alpha_by_hand() -> None:
    """Two raters, four items: aa, ab, bb, bb. Values: a 3, b 5; D_o = 2/8, D_e = 2·3·5/(8·7); alpha = 1 − D_o/D_e."""
    units = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    values = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    assert alpha(units, values) == pytest.approx(1 - (2 / 8) / (30 / 56))


def test_alpha_is_krippendorffs() -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(0, 4, (5, 30)).astype(float)
    table[rng.random(table.shape) < 0.3] = np.nan
    raters, items = np.nonzero(~np.isnan(table))
    told = alpha(items, table[raters, items].astype(int))
    assert told == pytest.approx(krippendorff.alpha(table, level_of_measurement="nominal"))


def test_alpha_says_nothing_where_there_is_nothing_to_agree_on() -> None:
    one = np.ones(4, int)
    assert alpha(np.array([0, 1, 2, 3]), np.array([0, 1, 0, 1])) is None  # nobody shared an item
    assert alpha(np.array([0, 0, 1, 1]), one) is None  # all said the same
    assert alpha(np.zeros(4, int), np.array([0, 1, 0, 1])) is None  # one item
    assert alpha(np.zeros(0, int), np.zeros(0, int)) is None


def _interval(items: NDArray[Any], raters: NDArray[Any], hits: NDArray[Any]) -> tuple[float, float]:
    rows = np.ones((items.size, 1), bool)
    (interval,) = clustered(items, raters, rows, hits[:, None])
    assert interval is not None
    return interval


def test_resampling_single_votes_gives_the_binomial_interval() -> None:
    """Every vote on an item of its own, all by one rater: the share's bootstrap is the binomial's."""
    rng = np.random.default_rng(1)
    hits = rng.random(400) < 0.6
    low, high = _interval(np.arange(400), np.zeros(400, int), hits)
    share = hits.mean()
    error = 1.96 * np.sqrt(share * (1 - share) / 400)
    assert (low, high) == pytest.approx((share - error, share + error), abs=0.012)


def test_votes_that_hang_together_widen_the_interval() -> None:
    """400 votes on ten items, where all votes on an item are the same, are worth ten."""
    items = np.repeat(np.arange(10), 40)
    hits = items < 6
    low, high = _interval(items, np.tile(np.arange(40), 10), hits)
    assert low < 0.35 and high > 0.85
    by_rater = _interval(np.tile(np.arange(40), 10), items, hits)  # the same of raters
    assert by_rater[0] < 0.35 and by_rater[1] > 0.85


def test_one_item_and_one_rater_cannot_be_resampled() -> None:
    one = np.zeros(1, int)
    assert clustered(one, one, np.ones((1, 1), bool), np.ones((1, 1), bool)) == [None]
    nothing = np.zeros(0, int)
    assert clustered(nothing, nothing, np.ones((0, 2), bool), np.ones((0, 2), bool)) == [None, None]
