"""Studies as files: what is refused, with what words, and what is made of them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from sqlalchemy import func, select

from eval_ui import ballots
from eval_ui.captions import Caption, blotted, read_captions, spoken
from eval_ui.checking import check
from eval_ui.house import House
from eval_ui.importing import _comparisons
from eval_ui.media import Cut, prepare, probe, sound_of
from eval_ui.starter import STARTER, Starter
from eval_ui.studies import read_study
from joyvl_app.audio import SPOKEN_RATE
from joyvl_app.errors import BadInput
from joyvl_app.events import State
from joyvl_app.store.models import ComparisonRow, StudyRow
from joyvl_app.tts.scripted import ScriptedSynthesizer
from tests.rating import ballot, cast, following, joined, owner, write_log, write_study_folder
from tests.support import ROOT, settings, write_clip


def _changed(folder: Path, **item: Any) -> Path:
    """A study whose first item is different."""
    write_study_folder(folder)
    study = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
    study["items"][0] |= item
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    return folder


def _recording(path: Path, seconds: float = 3.0, size: tuple[int, int] = (96, 160)) -> Path:
    """A phone's screen in MPEG-4, which no browser plays, with a tone as its sound and tags that give it away."""
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as made:
        made.metadata["title"] = "Doubao"
        stream = made.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
        sound = made.add_stream("aac", rate=SPOKEN_RATE, layout="mono")
        tone = (8_000 * np.sin(np.arange(int(seconds * SPOKEN_RATE)) / 8)).astype(np.float32) / 32_768
        for at in range(0, tone.size - 1_023, 1_024):
            frame = av.AudioFrame.from_ndarray(tone[None, at : at + 1_024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = SPOKEN_RATE, at
            made.mux(sound.encode(frame))
        made.mux(sound.encode())
        for number in range(int(seconds * 10)):
            picture = np.full((*size, 3), 8 * number % 256, np.uint8)
            made.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        made.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"colour": "red"}, "item one, field colour: there is no such field"),
        ({"id": "two"}, "items: there are two called two"),
        ({"sides": {"ours": {"log": "ours.jsonl"}}}, "item one, sides: two systems at least"),
        ({"sides": {"a": {"log": "ours.jsonl"}, "b": {"log": "other.jsonl"}}}, "item one: the subject ours is not among"),
        ({"clip": ""}, "item one, clip: an event log needs the clip"),
        ({"kind": "gold"}, "a gold item names the side that must win: (ours, other|other, ours)"),
        ({"kind": "trap", "expect": "tie"}, "a trap has a clip, no sides"),
        ({"start": 2, "end": 1}, r"item one, end \(1\) does not lie after start \(2\)"),
        ({"instruction": ""}, "item one, field instruction"),
        ({"sides": {"ours": {}, "other": {"log": "other.jsonl"}}}, "exactly one of log and recording"),
        ({"sides": {"ours": {"recording": "x.mp4", "crop": [0.5, 0, 0.6, 1]}, "other": {"log": "o"}}}, "shares of the picture"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_item_and_field(tmp_path: Path, item: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_study(_changed(tmp_path, **item))


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Cannot read the study"):
        read_study(tmp_path)
    (tmp_path / "study.yaml").write_text("items: [", encoding="utf-8")
    with pytest.raises(BadInput, match="not valid YAML"):
        read_study(tmp_path)


def test_all_faults_of_what_it_names_are_told_at_once(tmp_path: Path) -> None:
    folder = _changed(tmp_path, clip="gone.mp4")
    write_log(folder / "other.jsonl", extra=(State(t=0, name="error", detail="out of memory"),))
    with pytest.raises(BadInput) as refused:
        check(read_study(folder))
    told = str(refused.value)
    assert "item one: there is no file" in told and "gone.mp4" in told
    assert "item two: side other: other.jsonl is the log of a run that failed: out of memory" in told


@pytest.mark.parametrize(
    ("content", "told"), [(b"no video", "cannot be played"), (b"", "cannot be played"), (None, "there is no file")]
)
def test_a_clip_that_cannot_be_played_is_told(tmp_path: Path, content: bytes | None, told: str) -> None:
    folder = write_study_folder(tmp_path)
    (folder / "clip.mp4").unlink()
    if content is not None:
        (folder / "clip.mp4").write_bytes(content)
    with pytest.raises(BadInput, match=told):
        check(read_study(folder))


def test_an_item_past_the_end_of_its_clip_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"item one: clip.mp4 ends at 2.0 s"):
        check(read_study(_changed(tmp_path, end=9)))


def test_a_recording_as_it_is_makes_the_study_not_blind(tmp_path: Path) -> None:
    _recording(tmp_path / "phone.mp4")
    sides = {"ours": {"log": "ours.jsonl"}, "Doubao": {"recording": "phone.mp4", "offset": 0.5}}
    report = check(read_study(_changed(tmp_path, sides=sides)))
    assert not report.blind and any("not blind" in note for note in report.notes)
    written_down = {**sides, "Doubao": {"recording": "phone.mp4", "turns": "other.jsonl", "offset": 0.5}}
    report = check(read_study(_changed(tmp_path, sides=written_down)))
    assert report.blind
    shown = report.items[0].sides["Doubao"]
    assert shown.path.name == "clip.mp4" and shown.turns == [
        Caption(1.0, 2.0, "I see a bird. I am Doubao.")
    ]  # 1.5 s less the offset


@pytest.mark.parametrize(
    "change", [{"id": "ours-or-other"}, {"title": {"en": "Is OTHER better?", "zh": "鸟"}}, {"id": "studies"}, {"id": "研究"}]
)
def test_what_raters_see_must_not_name_a_system(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"field id|they must not know|taken by the page"):
        read_study(write_study_folder(tmp_path, **change))


def test_texts_that_name_a_system_are_noted(tmp_path: Path) -> None:
    notes = check(read_study(_changed(tmp_path, instruction="Tell me what the other one says."))).notes
    assert any("raters will read the name of a system: “Tell me" in note for note in notes)


def test_an_item_is_blind_only_if_both_sides_show_the_same_scene(tmp_path: Path) -> None:
    _recording(tmp_path / "phone.mp4")
    cropped = {"recording": "phone.mp4", "turns": "other.jsonl", "crop": [0, 0.1, 1, 0.5]}
    assert not check(read_study(_changed(tmp_path, sides={"ours": {"log": "ours.jsonl"}, "other": cropped}))).blind
    report = check(read_study(_changed(tmp_path, sides={"ours": cropped, "other": cropped})))
    assert report.items[0].blind


def test_a_gold_item_is_only_between_those_who_can_win_or_lose_it(tmp_path: Path) -> None:
    sides = {"ours": {"log": "ours.jsonl"}, "other": {"log": "other.jsonl"}, "third": {"log": "other.jsonl"}}
    study = read_study(_changed(tmp_path, kind="gold", expect="other", sides=sides))
    report = check(study)
    made: dict[tuple[str, str], dict[str, Any]] = {(c.item.id, name): {} for c in report.items for name in c.sides}
    rows = _comparisons(study, report, made)
    assert [(row["item"], row["opponent"]) for row in rows if row["kind"] == "gold"] == [("one", "other")]


def test_sides_of_different_length_are_noted(tmp_path: Path) -> None:
    _recording(tmp_path / "phone.mp4", seconds=1.6)
    sides = {"ours": {"log": "ours.jsonl"}, "other": {"recording": "phone.mp4", "offset": 0.6}}
    notes = check(read_study(_changed(tmp_path, sides=sides))).notes
    assert any("play 1.0 and 2.0 s; the shorter stays" in note for note in notes)


async def test_a_study_is_taken_in_whole_and_once(house: House, tmp_path: Path) -> None:
    folder = write_study_folder(tmp_path / "birds", hide=["Doubao"])
    told, _ = await house.take_in(read_study(folder))
    assert told == "The study birds is open: 2 comparisons."
    told, _ = await house.take_in(read_study(folder))
    assert "there already, exactly like this" in told
    bodies = await house.read(lambda c: [json.loads(body) for body in c.execute(select(ComparisonRow.body)).scalars()])
    assert [turn[2] for turn in bodies[0]["sides"][1]["turns"]] == ["I see a bird. I am ▇▇▇."]
    for side in bodies[0]["sides"]:
        assert (house.media / side["media"]).is_file() and side["seconds"] == pytest.approx(2.0, abs=0.1) and side["sound"]
        assert sound_of(house.media / side["media"], Cut(0, 2)).any()
    assert not [path for path in house.media.iterdir() if path.is_dir()]


async def test_an_edited_study_is_refused_once_it_has_votes(house: House, tmp_path: Path) -> None:
    folder = write_study_folder(tmp_path / "birds")
    await house.take_in(read_study(folder))
    write_study_folder(folder, per_rater=1)
    told, _ = await house.take_in(read_study(folder))  # nobody has voted: replaced
    assert "is open" in told
    rater = await joined(house, study="birds")
    given = await following(house, rater)
    assert given
    await cast(house, rater, ballot(given, "left"))
    write_log(folder / "ours.jsonl", (0.5, "Three birds."))
    with pytest.raises(BadInput, match="has 1 votes and cannot be changed"):
        await house.take_in(read_study(folder))
    assert (await house.read(lambda c: ballots.given(c, rater, 0))).vote
    assert await house.read(lambda c: c.execute(select(func.count()).select_from(StudyRow)).scalar_one()) == 1


async def test_what_cannot_be_taken_in_leaves_nothing_behind(tmp_path: Path) -> None:
    house = House(settings(data_dir=tmp_path / "data", rating_mb=16))
    folder = write_study_folder(tmp_path / "birds")
    house.media.mkdir(parents=True)
    (house.media / "large.mp4").write_bytes(bytes(16 << 20))
    with pytest.raises(BadInput, match=r"more than JOYVL_RATING_MB \(16\)"):
        await house.take_in(read_study(folder))
    assert [path.name for path in house.media.iterdir()] == ["large.mp4"]
    assert await house.read(lambda c: c.execute(select(func.count()).select_from(StudyRow)).scalar_one()) == 0
    await house.aclose()


def test_a_recording_is_cut_cropped_and_loses_its_tags(tmp_path: Path) -> None:
    path = _recording(tmp_path / "phone.mp4", size=(160, 96))
    assert probe(path).plays_as == ""
    sound = sound_of(path, Cut(0.5, 2.5))
    assert sound.size == 2 * SPOKEN_RATE and np.abs(sound).mean() > 3_000
    name, seconds = prepare(path, Cut(0.5, 2.5, (0.0, 0.25, 1.0, 0.5)), sound, tmp_path)
    told = probe(tmp_path / name)
    assert (told.width, told.height, told.plays_as) == (96, 80, "mp4") and seconds == pytest.approx(2.0, abs=0.15)
    assert b"Doubao" not in (tmp_path / name).read_bytes()
    with av.open(str(tmp_path / name)) as made:
        first = next(made.decode(video=0)).to_ndarray(format="gray")
    assert abs(int(first.mean()) - 40) < 8  # the picture of half a second: grey 8 · 5


def _film(path: Path, times: list[float], rotation: int = 0, origin: float = 0.0) -> Path:
    """Pictures at these seconds, ever lighter; as a phone makes them: with pauses, turned, beginning late."""
    with av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate=30, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1_000)
        for number, t in enumerate(times):
            picture = np.full((64, 96, 3), 20 + 10 * number, np.uint8)
            picture[:32, :48] = 250  # a mark in the upper left
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(1_000 * (t + origin)), Fraction(1, 1_000)
            made.mux(stream.encode(frame))
        made.mux(stream.encode())
    return path


def _grey_at(path: Path, t: float) -> int:
    with av.open(str(path)) as made:
        frames = [frame for frame in made.decode(video=0) if float(frame.time or 0) <= t + 1e-3]
        return int(frames[-1].to_ndarray(format="gray")[48:, 64:].mean())


def test_a_recording_with_pauses_is_shown_as_long_as_it_was(tmp_path: Path) -> None:
    path = _film(tmp_path / "still.mp4", [0, 0.1, 0.2, 3.0, 3.1])  # nothing moved for three seconds
    assert probe(path).plays_as == ""
    name, seconds = prepare(path, Cut(1.0, 3.1), None, tmp_path)
    assert seconds == pytest.approx(2.1, abs=0.11)
    assert _grey_at(tmp_path / name, 0.5) == pytest.approx(40, abs=4)  # the third picture stands still
    assert _grey_at(tmp_path / name, 2.05) == pytest.approx(50, abs=4)


def test_a_file_that_begins_late_is_counted_from_its_first_picture(tmp_path: Path) -> None:
    path = _film(tmp_path / "late.mp4", [number / 10 for number in range(20)], origin=2.0)
    assert probe(path).seconds == pytest.approx(2.0, abs=0.05) and probe(path).plays_as == ""
    name, seconds = prepare(path, None, None, tmp_path)
    assert seconds == pytest.approx(2.0, abs=0.1) and _grey_at(tmp_path / name, 0.0) == pytest.approx(20, abs=4)


def test_a_clip_that_browsers_play_is_copied_not_encoded(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [np.full((96, 160, 3), 9 * number, np.uint8) for number in range(20)])
    name, seconds = prepare(clip, None, np.full(SPOKEN_RATE, 3_000, np.int16), tmp_path)
    with av.open(str(clip)) as before, av.open(str(tmp_path / name)) as after:
        packets = [[bytes(packet) for packet in each.demux(video=0) if packet.size] for each in (before, after)]
        assert packets[0] == packets[1] and after.streams.audio
    assert seconds == pytest.approx(2.0, abs=0.1)
    assert prepare(clip, None, np.full(SPOKEN_RATE, 3_000, np.int16), tmp_path)[0] == name  # named after its content


async def test_the_voice_sounds_when_the_caption_says() -> None:
    voice = ScriptedSynthesizer()
    track = await spoken([Caption(1.0, 2.0, "A bird."), Caption(3.0, 4.0, "Two.")], 5.0, voice)
    loud = np.abs(track.reshape(-1, SPOKEN_RATE // 10)).max(axis=1) > 0
    assert not loud[:10].any() and loud[10:13].any() and loud[30] and track.size == 5 * SPOKEN_RATE


def test_names_are_blotted_out_whatever_their_case() -> None:
    turns = blotted([Caption(0, 1, "I am doubao, not Gemini 3.")], ["Doubao", "Gemini"])
    assert turns[0].text == "I am ▇▇▇, not ▇▇▇ 3."


def test_the_example_in_the_guide_is_a_study(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "rating.md").read_text(encoding="utf-8")
    (tmp_path / "study.yaml").write_text(text.split("```yaml")[1].split("```")[0], encoding="utf-8")
    spec = read_study(tmp_path).spec
    assert spec.invitation and [item.kind for item in spec.items] == ["rated", "trap"]
    line = text.split("One line a turn: `")[1].split("`")[0]
    (tmp_path / "turns.jsonl").write_text(line + "\n", encoding="utf-8")
    assert read_captions(tmp_path / "turns.jsonl", 3.4, 10, headed=False)[0].t == pytest.approx(1.8)


def test_an_app_that_said_nothing_is_a_blind_side_too(tmp_path: Path) -> None:
    _recording(tmp_path / "phone.mp4")
    (tmp_path / "silent.jsonl").write_text("", encoding="utf-8")
    sides = {"ours": {"log": "ours.jsonl"}, "other": {"recording": "phone.mp4", "turns": "silent.jsonl"}}
    report = check(read_study(_changed(tmp_path, sides=sides)))
    assert report.blind and report.items[0].sides["other"].path.name == "clip.mp4"


async def test_a_study_that_is_replaced_forgets_who_had_joined(house: House, tmp_path: Path) -> None:
    folder = write_study_folder(tmp_path / "birds")
    await house.take_in(read_study(folder))
    before = await joined(house, study="birds")
    assert await following(house, before)
    await house.take_in(read_study(write_study_folder(folder, completion="C1A2B3")))
    assert await house.read(lambda c: ballots.rater_of(c, "birds", owner(1))) is None
    again = await joined(house, study="birds")
    assert again.completion == "C1A2B3" and (await following(house, again)) is not None


def test_the_starter_study_can_be_shown_and_is_blind() -> None:
    report = check(read_study(STARTER))
    kinds = [checked.item.kind for checked in report.items]
    assert report.blind and kinds.count("rated") == 8 and kinds.count("practice") == 1 and kinds.count("trap") == 2
    assert all(checked.seconds <= 10 for checked in report.items)


async def test_a_starter_that_cannot_be_had_is_told_and_hinders_nothing(tmp_path: Path) -> None:
    house = House(settings(data_dir=tmp_path))
    starter = Starter(house, tmp_path / "none")
    await starter.begin()
    assert starter._task
    await starter._task
    assert starter.state.startswith("The starter study cannot be shown: Cannot read the study")
    await house.aclose()
