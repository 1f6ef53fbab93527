"""Scenario files: what users edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from joyvl_app.deciders.embedded.grammar import parse_instruction
from joyvl_app.deciders.embedded.specs import Ask, Unknown
from joyvl_app.errors import BadInput
from joyvl_app.scenario import SCENARIOS, load_scenario, load_scenarios, pick_scenario
from joyvl_app.sources import VideoSource
from tests.support import CLIPS

SECURITY = (SCENARIOS / "security.yaml").read_text(encoding="utf-8")


def broken(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_four_tabs_come_in_their_order() -> None:
    assert list(load_scenarios()) == ["security", "shopping", "lecture", "video_call"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("sensitivity:", "sensitivty:"), r"mine.yaml has a mistake at 'sensitivty': Extra inputs"),
        (("sensitivity: 0.3", "sensitivity: 40"), r"'sensitivity': Input should be less than or equal to 4"),
        (("id: security", "id: Se curity!"), r"'id'"),
        (("file: security.mp4", "file: ../../etc/passwd"), r"'clip.file'"),
        (("id: security", "id: [security"), r"not valid YAML"),
        (("zh: 安防", "fr: Sécurité"), r"'title"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    assert change[0] in SECURITY
    with pytest.raises(BadInput, match=told):
        load_scenario(broken(tmp_path, SECURITY.replace(*change, 1)))


def test_missing_and_repeated_scenarios(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No scenario"):
        load_scenarios(tmp_path)
    with pytest.raises(BadInput, match="Cannot read"):
        load_scenario(tmp_path / "none.yaml")
    broken(tmp_path, SECURITY).rename(tmp_path / "a.yaml")
    broken(tmp_path, SECURITY)
    with pytest.raises(BadInput, match=r"Two scenarios are called 'security'; mine.yaml"):
        load_scenarios(tmp_path)
    with pytest.raises(BadInput, match="Choose from: security, shopping"):
        pick_scenario(load_scenarios(), "nope")


@pytest.mark.parametrize("scenario", load_scenarios().values(), ids=lambda scenario: scenario.id)
def test_every_instruction_and_preset_is_understood_in_both_languages(scenario: object) -> None:
    from joyvl_app.scenario import Scenario

    assert isinstance(scenario, Scenario)
    for words in (scenario.instruction, *(preset.text for preset in scenario.presets)):
        for text in (words.en, words.zh):
            specs = parse_instruction(text)
            assert specs and not any(isinstance(spec, Unknown | Ask) for spec in specs), text


@pytest.mark.parametrize("scenario_id", list(load_scenarios()))
def test_every_sample_clip_is_there_and_long_enough(scenario_id: str) -> None:
    source = VideoSource(CLIPS / load_scenarios()[scenario_id].clip.file, 2, 640)
    assert source.seconds is not None and source.seconds >= 30


def test_the_clips_stay_small() -> None:
    assert sum(path.stat().st_size for path in CLIPS.glob("*.mp4")) < 25e6
