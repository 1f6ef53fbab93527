"""The micro model of the recipe's tests, made once: fixtures for the modules that name this one in `pytest_plugins`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from joyvl_app.train.encoding import Encoder
from joyvl_app.train.loading import load_encoder
from joyvl_app.train.loop import Schedule
from joyvl_app.train.nano import write_nano
from joyvl_app.train.sft import train
from tests.training import plan


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
