"""The first token is the decision: what it says, and how the words after it are drawn."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.dialect.tokens import RESPONSE, SILENCE
from joyvl_app.domain import REPLY_TOKENS

TOP_K, TOP_P = 40, 0.9  # of the reference deployment
_BANNED = 8  # alternatives more than are drawn from, for those that may be banned


@dataclass(frozen=True)
class Sampling:
    """How words are drawn; temperature 0 takes the likeliest."""

    temperature: float = 0.8
    most: int = REPLY_TOKENS


@dataclass(frozen=True)
class Row:
    """What one stream's logits say: the probability of an action, and the likeliest tokens with their logits."""

    p_act: float
    tokens: tuple[int, ...]
    logits: tuple[float, ...]


class Actions:
    """The action tokens in this model's vocabulary.

    In a trained model each is one token and P(silence) is read off the first. In any other the two spellings share their first
    pieces: these are put in its mouth, and where the spellings part, its preference is read.
    """

    def __init__(self, engine: Engine) -> None:
        silence, response = engine.encode(SILENCE), engine.encode(RESPONSE)
        self.trained = len(silence) == len(response) == 1
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(silence, response, strict=False)))
        self.lead = tuple(silence[:shared])
        self.silence, self.response = tuple(silence[shared:]), tuple(response[shared:])

    def read(self, logits: Tensor) -> list[Row]:
        """(streams, vocabulary) → what each says, in one transfer from the device."""
        top = torch.topk(logits, min(TOP_K + _BANNED, logits.shape[-1]), dim=-1)
        total = torch.logsumexp(logits, dim=-1) if self.trained else torch.logaddexp(*self._both(logits))
        quiet = (self._both(logits)[0] - total).exp()
        packed = torch.cat((quiet[:, None], top.values, top.indices.to(top.values.dtype)), dim=1).double().cpu().tolist()
        return [_row(values, top.values.shape[1]) for values in packed]

    def _both(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        return logits[:, self.silence[0]], logits[:, self.response[0]]


def _row(values: Sequence[float], count: int) -> Row:
    """Of `count` alternatives: P(silence), their logits, their tokens."""
    return Row(1 - values[0], tuple(int(token) for token in values[1 + count :]), tuple(values[1 : 1 + count]))


def draw(row: Row, sampling: Sampling, chance: random.Random, banned: Collection[int] = ()) -> int:
    """One token: the likeliest TOP_K, of these as many as hold TOP_P of the probability."""
    kept = [(token, logit) for token, logit in zip(row.tokens, row.logits, strict=True) if token not in banned][:TOP_K]
    if sampling.temperature <= 0 or not math.isfinite(kept[0][1]):
        return kept[0][0]
    weights = [math.exp((logit - kept[0][1]) / sampling.temperature) for _, logit in kept]
    enough = _enough(weights)
    return chance.choices([token for token, _ in kept[:enough]], weights[:enough])[0]


def _enough(weights: Sequence[float]) -> int:
    """How many of the sorted weights hold TOP_P of their sum."""
    left = TOP_P * sum(weights)
    for count, weight in enumerate(weights, start=1):
        left -= weight
        if left <= 0:
            return count
    return len(weights)
