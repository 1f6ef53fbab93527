"""The command: cases in, metrics, report and logs out; comparisons; the cache; what goes wrong."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from joyvl_app.__main__ import main
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.embedded.decider import EmbeddedDecider
from joyvl_app.domain import Image
from joyvl_app.evals.replay import Replayer
from joyvl_app.event_log import read_log
from joyvl_app.events import Spoken
from joyvl_app.perception.cache import PerceptionCache
from joyvl_app.perception.eyes import Nets
from joyvl_app.ports import Remembers
from joyvl_app.settings import load_settings
from tests.support import sign, write_clip

KEYS = {
    "f1", "precision", "recall", "timing_f1", "delay_p50", "delay_p95", "false_alarms_per_quiet_hour", "fa_ci",
    "duplicate_ratio", "n_events", "quiet_hours", "decision_age_p95",
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for data, a clip on which a sign appears at 6 s, and two cases on it."""
    monkeypatch.setenv("JOYVL_DATA_DIR", str(tmp_path / "data"))
    load_settings.cache_clear()
    write_clip(tmp_path / "clip.mp4", [sign("", size=(320, 180))] * 24 + [sign("SALE", size=(320, 180))] * 32, fps=4)
    cases = [
        {"id": "sale", "capability": "reading", "instruction": "Tell me when the word SALE appears.",
         "events": [{"t": 6, "accept": ["sale"]}]},
        {"id": "nobody", "capability": "monitoring", "instruction": "Alert me when someone comes in."},
        {"id": "remind", "capability": "time", "instructions": [{"t": 2, "text": "In 5 seconds remind me of the tea."}],
         "events": [{"t": 7, "accept": ["tea"]}]},
    ]  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"split": "test", "clip": {"file": "clip.mp4"}, "cases": cases}))
    yield tmp_path
    load_settings.cache_clear()


def evaluated(place: Path, *more: str, out: str = "out") -> dict[str, Any]:
    assert main(["eval", str(place / "mine.yaml"), "--out", str(place / out), "--jobs", "1", *more]) == 0
    told: dict[str, Any] = json.loads((place / out / "metrics.json").read_text())
    return told


def test_an_evaluation_leaves_metrics_report_and_logs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = evaluated(place, "--decider", "embedded")
    assert set(told["deciders"]) == {"embedded", "silent", "chatty"}, "the baselines always stand beside"
    for figures in told["deciders"].values():
        assert set(figures["test"]["capabilities"]["reading"]) >= KEYS
        assert set(figures["test"]["overall"]) >= KEYS
    embedded, silent, chatty = (told["deciders"][name]["test"]["overall"] for name in ("embedded", "silent", "chatty"))
    assert embedded["f1"] == 1.0 and embedded["false_alarms"] == 0 and embedded["n_events"] == 2
    assert silent["f1"] == 0.0 and silent["precision"] is None and silent["false_alarms"] == 0
    assert chatty["recall"] == 0.0 and chatty["timing_f1"] > 0 and chatty["false_alarms_per_quiet_hour"] > 3_000
    assert len(told["deciders"]["embedded"]["sweep"]["test"]) == 5
    logs = {path.stem for path in (place / "out" / "logs" / "embedded").iterdir()}
    assert logs == {"sale", "nobody", "remind"}
    assert "embedded" in capsys.readouterr().out


def test_the_report_is_one_file_without_addresses_and_escapes_what_it_shows(place: Path) -> None:
    text = (place / "mine.yaml").read_text().replace("remind me of the tea", "remind me of <script>alert(1)</script>")
    (place / "mine.yaml").write_text(text)
    evaluated(place, "--decider", "embedded", "--no-sweep")
    page = (place / "out" / "report.html").read_text()
    assert not re.search(r"(src|href)=|https?://|<script", page)
    assert "&lt;script&gt;" in page and page.count('class="timeline"') == 3


def test_a_second_run_remembers_and_is_charged_the_same(place: Path) -> None:
    first, second = (evaluated(place, "--decider", "embedded", "--no-sweep", out=out) for out in ("a", "b"))
    ages = [told["deciders"]["embedded"]["test"]["overall"]["decision_age_p50"] for told in (first, second)]
    assert ages[1] > 0.25 * ages[0], "a remembered result still costs what it once took"
    turns = [
        [event.text for event in read_log(place / out / "logs/embedded/sale.jsonl") if isinstance(event, Spoken)] for out in "ab"
    ]
    assert turns[0] == turns[1] != []


def test_two_processes_give_the_same_scores_as_one(place: Path) -> None:
    one = evaluated(place, "--decider", "embedded", "--no-sweep", out="one")
    assert main(["eval", str(place / "mine.yaml"), "--out", str(place / "two"), "--jobs", "2", "--no-sweep"]) == 0
    two = json.loads((place / "two" / "metrics.json").read_text())
    for name in ("embedded", "chatty"):
        assert one["deciders"][name]["test"]["overall"]["f1"] == two["deciders"][name]["test"]["overall"]["f1"]


def test_comparing_tells_what_changed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluated(place, "--decider", "embedded", "--no-sweep", out="before")
    spoilt = (place / "mine.yaml").read_text().replace("word SALE", "word RABBIT")
    (place / "mine.yaml").write_text(spoilt)
    evaluated(place, "--decider", "embedded", "--no-sweep", out="after")
    capsys.readouterr()
    assert main(["eval", "compare", str(place / "before"), str(place / "after")]) == 0
    told = capsys.readouterr().out
    assert "embedded: 3 cases in both" in told
    assert "F1: 1.000 → 0.667" in told  # 2·1 / (1 turn + 2 events)
    assert "sale: hits 1 → 0, timing hits 1 → 0, turns 1 → 0" in told and "nobody" not in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["eval", "nowhere"], "There is no file or folder nowhere"),
        (["eval", "compare", "a"], "needs two evaluations"),
        (["eval", "compare", "a", "b"], "There is no evaluation in a"),
        (["eval", "mine.yaml", "--decider", "oracle"], "There is no decider 'oracle'"),
        (["eval", "mine.yaml", "--jobs", "-1"], "--jobs must be"),
        (["eval", "mine.yaml", "--only", "zebra"], "No case is left"),
        (["eval", "sheet"], "Name the case files"),
    ],
)
def test_bad_input_is_told_with_status_2(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(place)
    assert main([*arguments, "--out", "out"] if "compare" not in arguments else arguments) == 2
    assert told in capsys.readouterr().err
    assert not (place / "out").exists()


def test_nothing_is_half_written_and_nothing_foreign_is_overwritten(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "mine.yaml").write_text((place / "mine.yaml").read_text().replace("t: 6", "t: 600"))
    assert main(["eval", str(place / "mine.yaml"), "--out", str(place / "out")]) == 2
    assert "case sale, field events: 600 s lies after the end" in capsys.readouterr().err
    assert not (place / "out").exists()
    (place / "mine.yaml").write_text((place / "mine.yaml").read_text().replace("t: 600", "t: 6"))
    (place / "out").mkdir()
    (place / "out" / "thesis.txt").write_text("mine")
    assert main(["eval", str(place / "mine.yaml"), "--out", str(place / "out"), "--only", "nobody", "--jobs", "1"]) == 2
    assert "holds other things" in capsys.readouterr().err
    assert [path.name for path in (place / "out").iterdir()] == ["thesis.txt"]


def test_a_contact_sheet_is_drawn_for_each_case(place: Path) -> None:
    assert main(["eval", "sheet", str(place / "mine.yaml"), "--out", str(place / "sheets"), "--only", "sale"]) == 0
    assert [path.name for path in (place / "sheets").iterdir()] == ["sale.png"]


# --- the cache ----------------------------------------------------------------------------------------------------


def test_a_picture_is_seen_once_and_its_time_is_owed(tmp_path: Path) -> None:
    nets, calls = Nets.load(), []

    def detector(image: Image, undistorted: bool = False) -> list[Any]:
        calls.append(undistorted)
        return nets.detector(image, undistorted)

    photo = np.full((120, 160, 3), 90, np.uint8)
    cache = PerceptionCache(tmp_path / "p.sqlite")
    remembering = cache.nets(Nets(detector, nets.faces, nets.expression))
    first = remembering.detector(photo)
    assert cache.take_owed() == 0.0
    assert remembering.detector(photo) == first and calls == [False]
    owed = cache.take_owed()
    assert 0 < owed < 5 and cache.take_owed() == 0.0
    remembering.detector(photo, undistorted=True)
    other = photo.copy()
    other[0, 0, 0] += 1
    remembering.detector(other)
    assert calls == [False, True, False]
    cache.close()


def test_other_weights_or_code_are_another_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(path: Path) -> int:
        calls = 0

        def detector(image: Image, undistorted: bool = False) -> list[Any]:
            nonlocal calls
            calls += 1
            return []

        cache = PerceptionCache(path)
        nets = cache.nets(Nets(detector, lambda image: [], lambda image, face: {}))
        nets.detector(np.zeros((4, 4, 3), np.uint8))
        cache.close()
        return calls

    assert [found(tmp_path / "p.sqlite") for _ in range(2)] == [1, 0]
    monkeypatch.setattr("joyvl_app.perception.cache._fingerprint", lambda: b"another")
    assert found(tmp_path / "p.sqlite") == 1


def test_a_broken_cache_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.sqlite").write_bytes(b"this is no database" * 100)
    decider = EmbeddedDecider(ManualClock())
    assert isinstance(decider, Remembers)
    with pytest.raises(Exception, match=r"perception cache .* cannot be used"):
        decider.remember(tmp_path / "p.sqlite")


def test_a_replay_is_what_the_command_line_watches(place: Path) -> None:
    """The same clip, instruction and decider say the same through `watch --pace fast` and through a replay."""
    events = place / "watched.jsonl"
    shown = [sign(text) for text in ("ROCKETS", "TELESCOPES") for _ in range(60)]
    clip = str(write_clip(place / "slides.mp4", shown))
    arguments = ["watch", clip, "--pace", "fast", "--scenario", "lecture", "--instruction", "Comment on each new slide."]
    assert main([*arguments, "--events", str(events)]) == 0
    case = {"id": "slides", "capability": "commentary", "instruction": "Comment on each new slide."}
    (place / "slides.yaml").write_text(yaml.safe_dump({"clip": {"file": clip}, "cases": [case]}))
    assert main(["eval", str(place / "slides.yaml"), "--out", str(place / "out"), "--jobs", "1", "--no-sweep"]) == 0
    said = [[e for e in read_log(path) if isinstance(e, Spoken)] for path in (events, place / "out/logs/embedded/slides.jsonl")]
    assert [e.text for e in said[0]] == [e.text for e in said[1]] != []
    assert all(abs(a.t_start - b.t_start) < 0.6 for a, b in zip(*said, strict=True))


def test_a_replayer_plays_one_case_after_the_other_from_second_zero(place: Path) -> None:
    async def twice() -> list[float]:
        replayer = Replayer("chatty", load_settings())
        await replayer.start()
        from joyvl_app.evals.evaluation import plan
        from joyvl_app.evals.suite import load_suite

        jobs = plan(load_suite([place / "mine.yaml"], place / "data"), ["chatty"], False, place / "logs")
        for job in jobs[:2]:
            await replayer.replay(job)
        await replayer.aclose()
        return [next(e.t_start for e in read_log(job.log) if isinstance(e, Spoken)) for job in jobs[:2]]

    assert all(t < 1.5 for t in asyncio.run(twice()))
