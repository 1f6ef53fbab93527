"""Group-relative policy optimisation on answer-centred windows, from an SFT model: the same loop, another loss.

For each window a group of futures is drawn from the model as it is; what a future is worth beyond its group's mean, over the
spread of all groups of the step, weighs the tokens that were drawn in it. A term keeps the model near the one that it began from
(k3 estimate). Over its own group's spread (arXiv 2402.03300) a false alarm would cost as much as a second of delay, wherever
nothing else differs in a window.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from joyvl_app.deciders.vlm.checkpoint import Checkpoint
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.errors import BadInput
from joyvl_app.train.encoding import Encoder, Row
from joyvl_app.train.episodes import episode
from joyvl_app.train.loading import add_actions, load_encoder, load_model
from joyvl_app.train.loop import Run
from joyvl_app.train.meter import memory_mb, seconds_left
from joyvl_app.train.packing import ATTENTION, Pack, logits_of
from joyvl_app.train.reading import reading_of
from joyvl_app.train.rollouts import Rollout, roll_out
from joyvl_app.train.sft import Curve, Plan, Told, open_run
from joyvl_app.train.states import alone_in
from joyvl_app.train.windows import Window, window_of

_LEAST_SPREAD = 1e-3  # of a group's rewards, below which nothing can be learned from it


@dataclass(frozen=True)
class Policy:
    """`windows` a step, `group` futures of each; `kl` weighs the distance to the first model. `plan` says the rest."""

    plan: Plan
    windows: int = 8
    group: int = 8
    kl: float = 0.05

    def whole_plan(self) -> Plan:
        """With what makes it another run; nothing decays, for the KL term holds the weights."""
        about = {"windows": self.windows, "group": self.group, "kl": self.kl}
        return replace(self.plan, schedule=replace(self.plan.schedule, weight_decay=0.0), about=about)


def reinforce(policy: Policy, told: Told) -> Path:
    """Run the phase, going on where it stopped; returns the exported checkpoint's folder. Raises as `sft.train` does."""
    from accelerate import Accelerator

    plan = policy.whole_plan()
    accelerator = Accelerator(cpu=plan.device == "cpu")
    if accelerator.num_processes > 1:
        raise BadInput("RL runs in one process; start it without accelerate launch.")
    with alone_in(plan.out):
        run, system = open_run(plan, accelerator, PolicyRun)
        assert isinstance(run, PolicyRun)
        run.begin(policy)
        curve, first, began = Curve(plan.out, run.progress.step), run.progress.step, time.perf_counter()
        while run.progress.step < plan.schedule.steps:
            line = run.improve()
            line["left_s"] = seconds_left(began, run.progress.step - first, plan.schedule.steps - run.progress.step)
            curve.add(line)
            told(line)
            run.save_when_due()
        return run.export(plan.out / "model", system)


class PolicyRun(Run):
    """A run whose rows are its own futures, and whose weights are advantages."""

    _policy: Policy
    _engine: Engine
    _encoder: Encoder
    _first: Any

    def begin(self, policy: Policy) -> None:
        checkpoint: Checkpoint = self._checkpoint
        if not self.reading.together:
            kind = checkpoint.model.config.model_type
            raise BadInput(
                f"RL reads a past once for all that may follow, and models of the kind '{kind}' cannot; sft trains them."
            )
        self._policy = policy
        self._first = _first_model(policy.plan, self.accelerator.device)
        self._engine = Engine(replace(checkpoint, model=self.accelerator.unwrap_model(self.model)), policy.plan.max_pixels)
        self._encoder = load_encoder(policy.plan.out / "parts", policy.plan.max_pixels)
        self._read_packs()

    def _read_packs(self) -> None:
        """The engine reads streams, learning reads packs; the weights are the same."""
        self._engine.model.config.get_text_config()._attn_implementation = ATTENTION

    def improve(self) -> dict[str, Any]:
        """One step: draw, judge, learn; a line for the curve."""
        policy, began, tokens = self._policy, time.perf_counter(), self.progress.tokens
        number = policy.plan.seed + self.progress.item
        rng = np.random.default_rng((9, number))
        windows = [window_of(episode("train", number + n), rng) for n in range(policy.windows)]
        self._engine.model.eval()
        drawn = roll_out(self._engine, self._encoder, windows, policy.group, random.Random(number))
        self.model.train()
        self._read_packs()
        if not any(drawn):
            raise BadInput(f"The model's context of {self._engine.context:,} tokens holds none of {len(windows)} episodes.")
        told = advantages([group for group in drawn if group])
        rows = [row for group in told for row in group]
        loss = self.step(rows) if rows else self.pass_over()
        self.progress.item += policy.windows
        figures = {
            "informative": sum(map(bool, told)) / len(told),
            # learned from, though most of the time goes into drawing
            "tokens_s": round((self.progress.tokens - tokens) / (time.perf_counter() - began)),
            "memory_mb": memory_mb(self.accelerator.device),
        }
        return self.line(loss) | _summary(windows, drawn) | figures

    def amount(self, pack: Pack) -> float:
        return float(pack.weights.numel())

    def loss(self, pack: Pack) -> Tensor:
        chosen = _log_probabilities(logits_of(self.model, pack, pack.learned), pack.targets)
        with torch.no_grad():
            before = _log_probabilities(logits_of(self._first, pack, pack.learned), pack.targets)
        apart = before - chosen
        distance = apart.exp() - apart - 1
        return (self._policy.kl * distance - pack.weights * chosen).mean()


def advantages(groups: Sequence[Sequence[Rollout]]) -> list[list[Row]]:
    """Each group's rows, weighted by their advantage in it; no rows where all were worth the same."""
    gains = [np.array([rollout.reward for rollout in group]) for group in groups]
    gains = [rewards - rewards.mean() for rewards in gains]
    differing = [gain for gain in gains if gain.std() >= _LEAST_SPREAD]
    spread = float(np.concatenate(differing).std()) if differing else 1.0
    return [
        [
            replace(rollout.row, weights=(rollout.row.weights * value).astype(np.float32))
            for rollout, value in zip(group, gain / spread, strict=True)
            if abs(value) > _LEAST_SPREAD
        ]
        for group, gain in zip(groups, gains, strict=True)
    ]


def _log_probabilities(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.log_softmax(logits.float(), dim=-1).gather(1, targets[:, None])[:, 0]


def _summary(windows: Sequence[Window], groups: Sequence[Sequence[Rollout]]) -> dict[str, float]:
    """What shows reward hacking: how much is said, how long it is, beside the reward."""
    rollouts = [rollout for group in groups for rollout in group]
    seconds = sum((window.last - window.first) * len(group) for window, group in zip(windows, groups, strict=True))
    said = [text for rollout in rollouts for _, text in rollout.said]
    return {
        "reward": float(np.mean([rollout.reward for rollout in rollouts])),
        "said_s": len(said) / seconds,
        "characters": float(np.mean([len(text) for text in said])) if said else 0.0,
    }


def _first_model(plan: Plan, device: torch.device) -> Any:
    """The model that the phase began from, which never changes."""
    checkpoint = load_model(plan.model, any_kind=True)
    add_actions(checkpoint)
    model = checkpoint.model.to(device).eval().requires_grad_(False)
    reading_of(checkpoint, plan.max_pixels, device)
    return model
