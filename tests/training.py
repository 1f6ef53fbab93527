"""What it takes to train a micro model: shared by the tests of the recipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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


def fed_to(engine: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every token that the decider's engine is fed from now on."""
    fed, piece = list[int](), engine.inputs.piece

    def recorded(*given: Any) -> Any:
        made = piece(*given)
        fed.extend(made.ids.tolist())
        return made

    monkeypatch.setattr(engine.inputs, "piece", recorded)
    return fed


_RANK = """
import json, os, sys
from accelerate.state import AcceleratorState
from joyvl_app.__main__ import main
for port, given in json.loads(sys.argv[1]):
    os.environ["MASTER_PORT"] = str(port)
    assert main(given) == 0
    AcceleratorState._reset_state(reset_partial_state=True)
"""


def two_processes(*commands: Sequence[str]) -> None:
    """`python -m joyvl_app`, command after command, in two processes that learn together: as torchrun starts them, but once."""
    place = {**os.environ, "MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _RANK, json.dumps([(free_port(), [*given]) for given in commands])]
    started = [
        subprocess.Popen(command, cwd=ROOT, env={**place, "RANK": rank, "LOCAL_RANK": rank}) for rank in "01"
    ]  # what they tell is pytest's to show
    try:
        assert [process.wait(timeout=150) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
