"""A micro model, and what it takes to train it: shared by the tests of the recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from joyvl_app.evals.render.film import looks
from joyvl_app.train.encoding import Encoder, Row
from joyvl_app.train.episodes import episode
from joyvl_app.train.loading import load_encoder, load_model
from joyvl_app.train.loop import Schedule
from joyvl_app.train.loss import Weights
from joyvl_app.train.nano import write_nano
from joyvl_app.train.sft import Plan, train
from joyvl_app.train.talks import Talk

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def micro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nano(tmp_path_factory.mktemp("micro") / "m", hidden=96, layers=2, vision=32, depth=2)


@pytest.fixture(scope="session")
def encoder(micro: Path) -> Encoder:
    return load_encoder(micro, 262_144)


@pytest.fixture(scope="session")
def taught(micro: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A micro model after thirty steps, and its curve."""
    lines: list[dict[str, Any]] = []
    schedule = Schedule(30, 1_500, warmup=5, workers=0)
    return train(replace(plan(micro, tmp_path_factory.mktemp("taught"), 30), schedule=schedule), lines.append), lines


def images_of(talk: Talk) -> list[Any]:
    return [np.full((96, 128, 3), 8 * n, np.uint8) for n in range(talk.seconds)]


def rows_of(encoder: Encoder, count: int, weights: Weights | None = None) -> list[Row]:
    made = [episode("train", seed) for seed in range(count)]
    return [row for e in made for row in encoder.rows(e.talk, list(looks(e.play, range(e.talk.seconds))), weights or Weights())]


def plan(micro: Path, out: Path, steps: int = 4, **changes: Any) -> Plan:
    schedule = Schedule(steps=steps, tokens=600, warmup=2, save_every=2, workers=0)
    return Plan(str(micro), out, schedule=schedule, device="cpu", **changes)


def quietly(line: dict[str, Any]) -> None:
    return None


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = load_model(str(folder)).model.state_dict()
    return weights


def accelerator() -> Any:
    from accelerate import Accelerator

    return Accelerator(cpu=True)
