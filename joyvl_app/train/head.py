"""The embedded decider's head: evidence of replayed cases, second by second, and a GRU learned from it with the recipe's loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from joyvl_app.clock import ManualClock
from joyvl_app.deciders.embedded.decider import EmbeddedDecider
from joyvl_app.deciders.embedded.head import FEATURES, RESPOND, SILENCE, Trace, Vector, features
from joyvl_app.deciders.embedded.rules import Rule, Urge
from joyvl_app.deciders.embedded.specs import Spec
from joyvl_app.deciders.embedded.watcher import EmbeddedWatcher
from joyvl_app.errors import ProviderFailed
from joyvl_app.evals.cases import CaseSpec
from joyvl_app.evals.matching import Contents, Turn
from joyvl_app.train.loss import weighted_loss


@dataclass
class Noted:
    """One rule in one case: features, urges' texts ("" for none) and times of every decision."""

    times: list[float] = field(default_factory=list)
    features: list[Vector] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


class Recorder(EmbeddedDecider):
    """The embedded decider, which notes what a head would have been shown. `sequences` are those of the newest session."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.sequences: dict[Spec, Noted] = {}

    def open(self, session_id: str) -> EmbeddedWatcher:
        assert self._loaded is not None, "start() comes before open()"
        self.sequences = {}
        return _Recording(*self._loaded, self._seeing, self._reading, self._clock, self.sequences)


class _Recording(EmbeddedWatcher):
    def __init__(self, *parts: Any) -> None:
        *given, self._sequences = parts
        self._traces: dict[Spec, Trace] = {}
        super().__init__(*given)

    def _urge(self, spec: Spec, rule: Rule, t: float) -> Urge | None:
        urge = super()._urge(spec, rule, t)
        trace = self._traces.setdefault(spec, Trace(t))
        noted = self._sequences.setdefault(spec, Noted())
        noted.times.append(t)
        noted.features.append(features(spec, urge, self._scene, trace, t))
        noted.texts.append(urge.text if urge else "")
        if urge is None:
            return None

        def commit() -> None:
            trace.spoke, trace.said = t, urge.text
            urge.commit()

        return Urge(urge.p, urge.text, commit, urge.urgent, urge.boxes, urge.ripe)


@dataclass(frozen=True, eq=False)
class Taught:
    """(seconds, FEATURES), the right action of each second, and its weight (0 where no urge offers anything to say)."""

    features: Tensor
    actions: Tensor
    weights: Tensor


def taught(case: CaseSpec, sequence: Noted, silence: float) -> Taught:
    """An urge is right while an event's window is open and its words are accepted."""
    contents = Contents([Turn(t, text) for t, text in zip(sequence.times, sequence.texts, strict=True)])
    actions, weights = [], []
    for t, text in zip(sequence.times, sequence.texts, strict=True):
        right = bool(text) and any(
            event.t - 0.3 <= t <= event.window[1] and contents.number[text] in contents.accepted(event)
            for event in case.events if event.kind == "speak"
        )  # fmt: skip
        actions.append(RESPOND if right else SILENCE)
        weights.append(0.0 if not text else 1.0 if right else silence)
    return Taught(torch.from_numpy(np.stack(sequence.features)), torch.tensor(actions), torch.tensor(weights))


class _Network(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.first, self.gru, self.out = nn.Linear(FEATURES, size), nn.GRU(size, size, batch_first=True), nn.Linear(size, 3)

    def forward(self, given: Tensor) -> Tensor:
        states, _ = self.gru(torch.tanh(self.first(given)))
        scores: Tensor = self.out(states)
        return scores


def learn(rows: Sequence[Taught], *, size: int = 24, epochs: int = 300, rate: float = 5e-3, seed: int = 0) -> dict[str, Vector]:
    """Weights as `deciders/embedded/head.py` reads them. Raises ProviderFailed when the loss is no number."""
    torch.manual_seed(seed)
    network = _Network(size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
    given = pad_sequence([row.features for row in rows], batch_first=True)
    actions = pad_sequence([row.actions for row in rows], batch_first=True).flatten()
    weights = pad_sequence([row.weights for row in rows], batch_first=True).flatten()
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - epoch / epochs)
        loss = weighted_loss(network(given + 0.02 * torch.randn_like(given)).flatten(0, 1), actions, weights)
        if not bool(torch.isfinite(loss)):
            raise ProviderFailed(f"The loss is not a number in epoch {epoch + 1}.")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
        optimizer.step()
    return _exported(network)


def _exported(network: _Network) -> dict[str, Vector]:
    names: dict[str, Any] = {
        "first": network.first.weight, "first_bias": network.first.bias, "out": network.out.weight, "out_bias": network.out.bias,
        "input": network.gru.weight_ih_l0, "input_bias": network.gru.bias_ih_l0,
        "hidden": network.gru.weight_hh_l0, "hidden_bias": network.gru.bias_hh_l0,
    }  # fmt: skip
    return {name: weight.detach().numpy().copy() for name, weight in names.items()}


def save(weights: dict[str, Vector], path: Path) -> None:
    np.savez(path, **weights)  # type: ignore[arg-type]
