"""The weighted token cross-entropy of the recipe (arXiv 2606.14777): most seconds are silent, and the rest should count.

Each learned token has a weight; the loss is the weighted sum over the sum of weights, so weight 1 everywhere is the plain mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Weights:
    """`silence` weighs a silent second (its token and its end), `near` one within two seconds of a response, `onset` the token
    that begins a response, `words` all the others of a spoken turn, its end included."""

    silence: float = 0.5
    near: float = 1.0
    onset: float = 1.0
    words: float = 1.0


def weighted_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """`logits` (tokens, vocabulary), `targets` and `weights` (tokens,) → a scalar; 0 when nothing weighs anything."""
    from torch.nn.functional import cross_entropy

    losses = cross_entropy(logits.float(), targets, reduction="none")
    return (losses * weights).sum() / weights.sum().clamp_min(1e-9)
