"""Tables of providers, settings, benchmarks: what a wrong name, a missing package or a missed target says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from joyvl_app.bench import Result
from joyvl_app.build import BRAINS, DECIDERS
from joyvl_app.clock import ManualClock
from joyvl_app.errors import BadInput, MissingPart
from joyvl_app.registry import Entry, Registry
from joyvl_app.settings import Settings, load_settings
from joyvl_app.voices import TRANSCRIBERS, VOICES
from tests.support import ROOT


def test_registries_refuse_repeats_and_list_choices() -> None:
    registry: Registry[str] = Registry("voice")
    registry.add("a", Entry(lambda clock, settings: "A", "first"))
    registry.add("b", Entry(lambda clock, settings: "B", "second", (("no_such_module", "no-such-package"),)))
    assert registry.make("a", ManualClock(), Settings.model_validate({})) == "A"
    with pytest.raises(BadInput, match="already a voice called 'a'"):
        registry.add("a", Entry(lambda clock, settings: "A", "again"))
    with pytest.raises(BadInput, match="Choose from: a, b"):
        registry.make("c", ManualClock(), Settings.model_validate({}))
    with pytest.raises(MissingPart, match="pip install no-such-package"):
        registry.make("b", ManualClock(), Settings.model_validate({}))


def test_every_port_has_a_scripted_provider() -> None:
    for registry in (DECIDERS, BRAINS, VOICES, TRANSCRIBERS):
        assert "scripted" in registry.entries


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("JOYVL_PORT", "many", "The setting JOYVL_PORT is wrong"),
        ("JOYVL_LOOKS_PER_TICK", "9", "less than or equal to 3"),
        ("JOYVL_TURN", "magic", "JOYVL_TURN"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    with pytest.raises(BadInput, match=told):
        load_settings()
    load_settings.cache_clear()


def test_secrets_are_not_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOYVL_TURN_PASSWORD", "opensesame")
    load_settings.cache_clear()
    settings = load_settings()
    load_settings.cache_clear()
    assert "opensesame" not in repr(settings) and "opensesame" not in str(settings.public())


def test_a_space_listens_on_every_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, host in (("", "127.0.0.1"), ("me/space", "0.0.0.0")):
        monkeypatch.setenv("SPACE_ID", variable)
        load_settings.cache_clear()
        assert load_settings().host == host
    load_settings.cache_clear()


def test_a_benchmark_is_ok_only_when_every_target_was_measured_and_met() -> None:
    targets = {"a": ("<=", 2.0), "b": (">=", 1.0)}
    assert Result({"a": 2.0, "b": 1.0}, targets).ok
    assert not Result({"a": 2.1, "b": 1.0}, targets).ok
    assert not Result({"a": 1.0}, targets).ok


def test_a_taken_port_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_app(JOYVL_PORT=str(port), JOYVL_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert f"Try JOYVL_PORT={port + 1}" in done.stderr and "Traceback" not in done.stderr


def test_a_wrong_setting_stops_the_app_with_a_sentence() -> None:
    done = run_app(JOYVL_MAX_SESSIONS="none")
    assert done.returncode == 2
    assert "JOYVL_MAX_SESSIONS is wrong" in done.stderr and "Traceback" not in done.stderr


def run_app(**variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "app.py"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60)
