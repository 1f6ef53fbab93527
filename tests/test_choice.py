"""What `auto` means on machines of many kinds, and what a page may switch to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from joyvl_app import choice
from joyvl_app.build import offered_deciders
from joyvl_app.choice import Choice, choose
from tests.support import ROOT, settings

WORDS = json.loads((ROOT / "assets/page/text.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    choose.cache_clear()
    yield
    choose.cache_clear()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`machine(free=80, hub=True)`: a driver, so many free gigabytes, weights that can be had."""

    def make(driver: bool = True, free: float = 80.0, hub: bool = True) -> None:
        monkeypatch.setattr(choice, "has_driver", lambda: driver)
        monkeypatch.setattr(choice, "free_gpu_gb", lambda: free)
        monkeypatch.setattr(choice, "_weights_can_be_had", lambda model: hub)

    return make


def told(made: Choice) -> str:
    for language in ("en", "zh"):
        words: str = WORDS[f"why_{made.reason}"][language]
        assert "{" not in words.format(**made.values)
    return str(WORDS[f"why_{made.reason}"]["en"]).format(**made.values)


def test_without_a_gpu_rules_decide(machine: Any) -> None:
    machine(driver=False)
    made = choose(settings())
    assert made.name == "embedded" and "No GPU was found" in told(made)
    assert offered_deciders(settings()) == ["embedded"]


def test_with_a_gpu_and_weights_the_model_decides(machine: Any) -> None:
    machine()
    made = choose(settings())
    assert made.name == "vlm" and "jdopensource/JoyAI-VL-Interaction" in told(made)
    assert offered_deciders(settings()) == ["vlm", "embedded"]


def test_a_gpu_that_is_too_small_says_what_would_help(machine: Any) -> None:
    machine(free=11.0)
    made = choose(settings())
    assert made.name == "embedded" and "11 GB free" in told(made) and "JOYVL_MODEL_BITS=4" in told(made)
    assert choose(settings(model_bits=4)).name == "vlm"


def test_pytorch_for_the_cpu_alone_is_told(machine: Any) -> None:
    machine(free=0.0)
    assert "PyTorch cannot use it" in told(choose(settings()))


def test_weights_that_cannot_be_had_are_told(machine: Any) -> None:
    machine(hub=False)
    assert "cannot be fetched" in told(choose(settings()))


def test_a_named_server_is_taken(machine: Any) -> None:
    machine()
    made = choose(settings(openai_urls="http://localhost:8000/v1"))
    assert made.name == "openai_chat" and told(made)
    assert offered_deciders(settings(openai_urls="http://localhost:8000/v1")) == ["openai_chat", "embedded", "vlm"]


def test_a_named_decider_is_taken_whatever_there_is(machine: Any) -> None:
    machine()
    made = choose(settings(decider="silent"))
    assert made.name == "silent" and "JOYVL_DECIDER=silent" in told(made)


def test_a_folder_of_weights_needs_no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(choice, "has_driver", lambda: True)
    monkeypatch.setattr(choice, "free_gpu_gb", lambda: 8.0)
    (tmp_path / "model.safetensors").write_bytes(b"x" * 1000)
    assert choose(settings(model=str(tmp_path))).name == "vlm"


def test_an_offline_machine_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(choice, "has_driver", lambda: True)
    monkeypatch.setattr(choice, "free_gpu_gb", lambda: 80.0)
    assert choose(settings(model="no-such-owner/no-such-model")).reason == "weights"
