"""What it takes to train a micro model: shared by the tests of the recipe."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from joyvl_app.evals.render.film import looks
from joyvl_app.train.encoding import Encoder, Row
from joyvl_app.train.episodes import episode
from joyvl_app.train.loading import load_model
from joyvl_app.train.loop import Schedule
from joyvl_app.train.loss import Weights
from joyvl_app.train.sft import Plan
from joyvl_app.train.talks import Talk
from tests.servers import free_port
from tests.support import ROOT

CPU = torch.device("cpu")


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


def two_processes(*given: str) -> None:
    """`python -m joyvl_app` in two processes that learn together, as torchrun starts them, without its own seconds."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "joyvl_app", *given]
    started = [
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, **place, "RANK": rank, "LOCAL_RANK": rank}) for rank in "01"
    ]  # what they tell is pytest's to show
    try:
        assert [process.wait(timeout=150) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
