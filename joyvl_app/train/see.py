"""Seeing first: a dense phase on single labelled frames. A model whose vision is trained already may skip it.

Two or three labels in a stream of thirty seconds do not teach a fresh model to see. Here every vision token of every frame has
the word of what it looks at (cells.py), and after a first share of the steps every frame a question and its answer as well.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from joyvl_app.train.families import SEE
from joyvl_app.train.loss import Weights
from joyvl_app.train.sft import Plan, Told, train

_ALONE = 0.75  # share of the steps in which the cells are learned alone


def see(plan: Plan, told: Told) -> Path:
    """Glimpses of the renderer, every word of every answer counting the same; returns the exported checkpoint's folder."""
    weights = Weights(1.0, 1.0, 1.0, 1.0)
    return train(replace(plan, data=None, family=SEE, weights=weights, cells=1.0, cells_alone=_ALONE), told)
