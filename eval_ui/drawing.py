"""Who gets what, and which side is whose: pure rules; ballots.py asks them inside its transaction."""

from __future__ import annotations

import random
from collections.abc import Mapping

from eval_ui.studies import Kind

_CHECKS = 2  # attention checks that a rater gets where there are so many
_STICK = 2  # how far a rater's left and right may come apart before chance ends


def plan(seed: int, per_rater: int, there: Mapping[str, int]) -> list[Kind]:
    """The kinds of a rater's items in order: practice first, then the rated ones with gold and traps somewhere among them.

    `there` is how many comparisons of each kind the study has. The same seed gives the same plan.
    """
    chance = random.Random(seed)
    kinds = _some("rated", min(per_rater, there.get("rated", 0)))
    traps, golds = there.get("trap", 0), there.get("gold", 0)
    least = _some("trap", min(traps, _CHECKS))  # fewer could never flag anybody
    more = _some("gold", golds) + _some("trap", traps - len(least))
    chance.shuffle(more)
    checks = least + more[: max(0, len(kinds) // 2 - len(least))]
    for kind in checks:
        kinds.insert(chance.randint(1, len(kinds)), kind)
    return _some("practice", there.get("practice", 0)) + kinds


def _some(kind: Kind, number: int) -> list[Kind]:
    return [kind for _ in range(number)]


def swap(of_comparison: tuple[int, int], of_rater: tuple[int, int], chance: random.Random) -> bool:
    """Whether the subject goes to the right. Both arguments are how often it was drawn, and how often it stood on the right.

    A comparison alternates over its raters; where it is even, chance decides, unless the rater's own sides have come apart.
    """
    drawn, swapped = of_comparison
    if drawn != 2 * swapped:
        return 2 * swapped < drawn
    lean = 2 * of_rater[1] - of_rater[0]
    if abs(lean) >= _STICK:
        return lean < 0
    return chance.random() < 0.5
