"""From cases to a study, from a recording to its words: the commands as somebody types them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from eval_ui.__main__ import main
from eval_ui.captions import read_captions
from eval_ui.checking import check
from eval_ui.media import Cut, encode, sound_of
from eval_ui.studies import read_study
from eval_ui.transcribing import write_down
from joyvl_app.domain import Pcm
from joyvl_app.settings import load_settings
from tests.servers import Model, running
from tests.support import ROOT, settings, sign, write_clip


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("JOYVL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JOYVL_SYNTHESIZER", "scripted")
    load_settings.cache_clear()
    yield tmp_path / "data"
    load_settings.cache_clear()


def _cases(folder: Path, cases: int = 5) -> Path:
    folder.mkdir()
    write_clip(folder / "clip.mp4", [np.asarray(sign(f"{number // 10}", size=(160, 96))) for number in range(60)])
    told = [
        {"id": f"case-{n}", "capability": "counting", "instruction": "Count the signs.", "start": n / 2, "end": n / 2 + 2.5}
        for n in range(cases)
    ]
    (folder / "cases.yaml").write_text(yaml.safe_dump({"clip": {"file": "clip.mp4"}, "cases": told}), encoding="utf-8")
    return folder


def test_create_plays_all_systems_and_opens_a_study_that_names_none(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = _cases(tmp_path / "cases")
    assert main(["create", "--from", str(cases), "--system", "silent", "--system", "chatty", "--most", "4"]) == 0
    told = capsys.readouterr().out
    assert "is open: 6 comparisons" in told
    (folder,) = (data / "studies").iterdir()
    assert "silent" not in folder.name and "chatty" not in folder.name
    study = read_study(folder)
    kinds = [item.kind for item in study.spec.items]
    assert kinds == ["practice", "rated", "rated", "rated", "trap", "trap"] and study.spec.subject == "silent"
    sides = check(study).items[1].sides
    assert sides["silent"].turns == [] and len(sides["chatty"].turns) >= 2
    assert sides["silent"].path == sides["chatty"].path and sides["silent"].cut.seconds == pytest.approx(2.5, abs=0.1)
    assert main(["results", folder.name]) == 0 and main(["list"]) == 0
    assert "0 raters, 0 votes" in capsys.readouterr().out
    assert main(["import", str(folder)]) == 0 and main(["close", folder.name]) == 0 and main(["delete", folder.name]) == 0
    assert not list((data / "rating").iterdir())


def test_a_video_model_behind_a_server_is_a_side(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model("</response> I see a sign.", "</silence>")
    with running(model.app) as address:
        monkeypatch.setenv("JOYVL_OPENAI_URLS", address)
        load_settings.cache_clear()
        cases = _cases(tmp_path / "cases", 1)
        assert main(["create", "--from", str(cases), "--system", "openai_chat", "--system", "silent", "--name", "one"]) == 0
    assert [turn.text for turn in read_captions(data / "studies/one/logs/openai_chat/case-0.jsonl", 0, 60)] == ["I see a sign."]
    assert model.pictures() >= 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--system", "silent"], "A comparison needs two systems"),
        (["--system", "silent", "--system", "silent"], "A comparison needs two systems"),
        (["--system", "silent", "--system", "clairvoyant"], "There is no decider 'clairvoyant'"),
        (["--system", "silent", "--system", "chatty", "--name", "my study"], "letters, digits, points and dashes"),
        (["--system", "silent", "--system", "chatty", "--name", "../../x"], "letters, digits, points and dashes"),
        (["--system", "silent", "--system", "chatty", "--name", "silent-or-not"], "must not name the systems"),
        (["--system", "silent", "--system", "chatty", "--most", "0"], "--most is between 1"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(
    tmp_path: Path, data: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["create", "--from", str(_cases(tmp_path / "cases", 1)), *arguments]) == 2
    assert told in capsys.readouterr().err
    assert not (data / "studies").exists()


def test_commands_on_what_is_not_there_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        ["results", "x"],
        ["close", "x"],
        ["delete", "x"],
        ["invite", "x"],
        ["export", "x", "--out", str(tmp_path / "o")],
        ["import", "x"],
    ):
        assert main(command) == 2, command
        assert "eval_ui: " in capsys.readouterr().err
    assert main(["transcribe", str(tmp_path / "no.mp4"), "--out", str(tmp_path / "gone" / "x.jsonl")]) == 2
    assert "There is no folder" in capsys.readouterr().err


async def test_a_recordings_words_are_written_down_with_their_times(tmp_path: Path) -> None:
    """Two sentences that people recorded, one second of silence before each, under a picture."""
    clip = write_clip(tmp_path / "clip.mp4", [np.full((64, 96, 3), 90, np.uint8)] * 120)
    spoken = [_heard(ROOT / "assets/speech" / name) for name in ("goforward.flac", "cards-001.flac")]
    silence = np.zeros(24_000, np.int16)

    encode(clip, tmp_path / "phone.mp4", Cut(0, 12), np.concatenate([silence, spoken[0], silence, spoken[1]])[: 12 * 24_000])
    out = tmp_path / "turns.jsonl"
    assert await write_down(tmp_path / "phone.mp4", out, "en", settings()) >= 2
    turns = read_captions(out, 0, 12)
    assert "go forward" in turns[0].text.lower() and turns[0].t == pytest.approx(1.1, abs=0.6)
    assert turns[1].t > 1 + spoken[0].size / 24_000
    with pytest.raises(Exception, match="is there already"):
        await write_down(tmp_path / "phone.mp4", out, "en", settings())


def _heard(path: Path) -> Pcm:

    with av.open(str(path)) as container:
        seconds = float(container.duration or 0) / av.time_base
    return sound_of(path, Cut(0, seconds))
