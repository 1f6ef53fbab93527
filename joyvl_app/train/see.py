"""Seeing first: a dense phase on single labelled frames. A model whose vision is trained already may skip it.

Two or three labels in a stream of thirty seconds do not teach a fresh model to see. Here every vision token of every frame has
the word of what it looks at (cells.py), and after a first share of the steps every frame a question and its answer as well.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from joyvl_app.train.cells import cell_loss
from joyvl_app.train.families import SEE
from joyvl_app.train.loop import Run
from joyvl_app.train.loss import Weights, weighted_loss
from joyvl_app.train.packing import Pack, logits_of
from joyvl_app.train.sft import Plan, Told, train

_CELLS_ALONE = 0.5  # share of the steps


def see(plan: Plan, told: Told) -> Path:
    """Glimpses of the renderer, every word of every answer counting the same; returns the exported checkpoint's folder."""
    return train(replace(plan, data=None, family=SEE, weights=Weights(1.0, 1.0, 1.0, 1.0)), told, _SeeRun)


class _SeeRun(Run):
    """Its loss is that of the cells, then of cells and words."""

    def loss(self, pack: Pack) -> Tensor:
        assert pack.cells is not None
        model = self.accelerator.unwrap_model(self.model)
        seen = model.model.get_image_features(**pack.pictures, return_dict=True)
        cells = cell_loss(torch.cat(seen.pooler_output), model.get_output_embeddings().weight, pack.cells)
        if self.progress.step < _CELLS_ALONE * self.schedule.steps:
            return cells
        return cells + weighted_loss(logits_of(self.model, pack, pack.learned, seen), pack.targets, pack.weights)
