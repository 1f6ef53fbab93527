"""The shipped small model, on rendered clips that it was not trained on, through the command line and the real session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from joyvl_app.__main__ import main
from joyvl_app.evals.metrics import Counts, count, read_run
from joyvl_app.evals.suite import load_suite
from joyvl_app.event_log import read_log
from joyvl_app.settings import load_settings
from joyvl_app.train.rendering import render
from tests.support import ROOT

NANO = ROOT / "assets" / "models" / "joyvl-nano"
SEEDS = (900_000, 900_001, 900_002)  # alerts whose instruction is there from the start


@pytest.fixture
def greedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of their own: nothing is left to chance."""
    monkeypatch.setenv("JOYVL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JOYVL_TEMPERATURE", "0")
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.mark.usefixtures("greedy")
def test_the_shipped_model_speaks_at_the_right_second(tmp_path: Path) -> None:
    render("heldout", SEEDS, "alert", tmp_path, 1, lambda name: None)
    suite = load_suite([tmp_path / "cases"], tmp_path / "cache")
    counted: list[Counts] = []
    for case in suite.cases:
        assert case.spec.instruction, "choose another seed"
        log = tmp_path / f"{case.id}.jsonl"
        watched = ["watch", str(suite.clips[case.clip].path), "--decider", "vlm", "--model", str(NANO), "--pace", "fast"]
        assert main([*watched, "--instruction", case.spec.instruction, "--events", str(log)]) == 0
        counted.append(count(case, read_run(read_log(log))).counts)
    total = Counts.total(counted)
    assert total.events >= 4 and total.hits >= 0.7 * total.events and total.turns <= total.hits + 1
