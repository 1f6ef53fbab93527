"""Training data: talks and their seconds, episodes and their worlds, annotations to shards and back."""

from __future__ import annotations

import asyncio
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from transformers import Qwen2VLImageProcessorPil

from joyvl_app.__main__ import main
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.vlm.inputs import Patches
from joyvl_app.domain import Delegate, Frame, Respond, Silence
from joyvl_app.errors import BadInput
from joyvl_app.evals.render.film import looks
from joyvl_app.memory.digest import DigestSummarizer
from joyvl_app.memory.tiers import Tiers
from joyvl_app.sources.video import VideoSource
from joyvl_app.train import shards
from joyvl_app.train.cells import names_of
from joyvl_app.train.convert import Conversion, Outcome, convert, frames_of
from joyvl_app.train.episodes import episode
from joyvl_app.train.families import FAMILIES, SEE, TIMERS
from joyvl_app.train.shards import Clip, read_clip, shard_size, shards_in, write_shard
from joyvl_app.train.talks import Line, Talk, check_talk, moments_of, seconds_of
from joyvl_app.train.wording import SEEN, article
from joyvl_app.train.worlds import CLASSES, WORLDS
from tests.support import GREY, write_clip


def talk(**changes: Any) -> Talk:
    given: dict[str, Any] = {"questions": (Line(4, "Say when it is red."),), "responses": (Line(7, "It is red."),)}
    return Talk("a", "alert", 10, **(given | changes))


def test_a_second_is_silent_except_where_a_response_falls() -> None:
    seconds = seconds_of(talk())
    assert [n for n, second in enumerate(seconds) if not isinstance(second.decision, Silence)] == [7]
    assert seconds[7].decision == Respond("It is red.") and seconds[4].question == "Say when it is red."
    assert [n for n, second in enumerate(seconds) if second.near] == [5, 6, 7, 8, 9]


def test_times_between_seconds_fall_where_they_can_be_known() -> None:
    seconds = seconds_of(talk(questions=(Line(3.2, "Now?"),), responses=(Line(3.3, "Yes."),)))
    assert seconds[4].question == "Now?", "a question is heard in the first second after it"
    assert isinstance(seconds[4].decision, Respond), "and never answered before"


@pytest.mark.parametrize("t, second", [(7.0, 7), (7.05, 7), (7.1, 8), (7.9, 8), (8.9, 9), (9.04, 9)])
def test_a_response_stands_on_the_first_second_whose_picture_can_show_why(t: float, second: int) -> None:
    said = [
        n for n, pair in enumerate(seconds_of(talk(responses=(Line(t, "It is red."),)))) if isinstance(pair.decision, Respond)
    ]
    assert said == [second]


def test_a_result_is_known_before_it_is_passed_on() -> None:
    asked = Line(6, "One moment. </delegation> Who is she?")
    seconds = seconds_of(talk(responses=(asked, Line(8.02, "Ada.")), results=(Line(8.01, "Ada."),)))
    assert seconds[9].results == ("Ada.",) and seconds[9].decision == Respond("Ada.")


async def test_a_chunk_knows_what_the_app_would_remember() -> None:
    """The app's own memory, asynchronous as it is, over the same 230 seconds."""
    spoken = tuple(Line(n, "Red.") for n in range(20, 220, 20))
    told = moments_of(Talk("a", "alert", 230, (Line(0, "Say red."),), spoken), [np.zeros((2, 2, 3), np.uint8)] * 230)
    clock = ManualClock(charge=False)
    memory = Tiers(clock, DigestSummarizer(clock), 100, 40)
    for moment, decision, _ in told:
        assert moment.context == memory.context() and moment.chunk_id == memory.chunk_id
        memory.observe(moment, decision)
        for _ in range(20):
            await asyncio.sleep(0.001 if moment.t % 100 >= 79 and moment.t % 100 < 82 else 0)
    await memory.aclose()
    assert "[Video History]" in told[150][0].context and "said: Red." in told[150][0].context


def test_chinese_is_learned_as_a_chinese_session_would_be_told() -> None:
    chinese = talk(questions=(Line(4, "红色的时候告诉我。"),))
    assert {moment.language for moment, _, _ in moments_of(chinese, [np.zeros((2, 2, 3), np.uint8)] * 10)} == {"zh"}


def test_a_response_with_the_token_delegates() -> None:
    seconds = seconds_of(talk(responses=(Line(7, "One moment. </delegation> Who is she?"),), results=(Line(9, "Ada."),)))
    assert seconds[7].decision == Delegate("Who is she?", "One moment.") and seconds[9].results == ("Ada.",)


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"responses": (Line(12, "Late."),)}, "past the end"),
        ({"responses": (Line(7, "b"), Line(5, "a"))}, "out of order"),
        ({"responses": (Line(7, " "),)}, "is empty"),
        ({"responses": (Line(7.1, "a"), Line(7.9, "b"))}, "same second"),
        ({"questions": (Line(3.2, "q"),), "responses": (Line(3.3, "a"), Line(4.0, "b"))}, "same second"),
        ({"responses": (Line(7, "</silence>"),)}, "says nothing"),
        ({"responses": (Line(7, "</delegation>"),)}, "says nothing"),
        ({"questions": (), "responses": ()}, "nothing is asked"),
        ({"questions": (Line(-1, "a"),)}, "past the end"),
    ],
)
def test_a_talk_of_no_use_is_refused_with_its_reason(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        check_talk(talk(**changes))


def test_a_response_of_several_lines_is_one_sentence() -> None:
    assert seconds_of(talk(responses=(Line(7, "It is red\nand round."),)))[7].decision == Respond("It is red and round.")


def test_a_long_talk_begins_a_chunk_that_knows_what_was_said() -> None:
    long = Talk("a", "alert", 120, (Line(0, "Say red."),), (Line(50, "Red."), Line(110, "Red.")))
    told = moments_of(long, [np.zeros((2, 2, 3), np.uint8)] * 120)
    assert [moment.chunk_id for moment, _, _ in told] == [0] * 100 + [1] * 20
    assert "[Query@0.0 seconds] Say red." in told[100][0].context and "[Response@50.0 seconds] Red." in told[100][0].context
    assert told[100][0].instruction == "Say red." and not told[99][0].context


# --- episodes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != SEE])
def test_every_family_makes_episodes_whose_talk_and_case_agree(family: str) -> None:
    responses = 0
    for seed in range(12):
        made = episode("train", seed, family)
        assert [math.ceil(event.t) for event in made.case.events] == [line.t for line in made.talk.responses]
        assert len(seconds_of(made.talk)) == made.talk.seconds and 18 <= made.talk.seconds < 101
        responses += len(made.talk.responses)
    assert responses > 12 or family == "quiet"


def test_an_episode_is_its_seed_and_worlds_share_nothing() -> None:
    assert episode("train", 5) == episode("train", 5) != episode("heldout", 5)
    shown = {kind: {act.picture for seed in range(30) for act in episode(kind, seed).play.acts if act.show == "picture"}
             for kind in WORLDS}  # fmt: skip
    trained = {f"{folder}/{name}" for folder in WORLDS["train"].sets for name in _names()}
    assert not shown["shifted"] & trained and shown["heldout"] <= trained
    assert not set(WORLDS["shifted"].fonts[1:]) & set(WORLDS["train"].fonts)
    assert not set(WORLDS["shifted"].strangers) & set(WORLDS["train"].strangers)


def _names() -> set[str]:
    return {path.stem for path in Path("assets/train/pictures/noto").glob("*.webp")}


def test_the_picture_changes_when_the_talk_says_so() -> None:
    made = episode("train", 40, "alert")
    event = next(line.t for line in made.talk.responses)
    before, after = looks(made.play.model_copy(update={"noise": 0.0}), (max(0.0, event - 1.5), event + 0.1))
    assert np.abs(before.astype(int) - after).max() > 40


def test_timers_ring_when_they_should_and_nothing_is_asked_over_them() -> None:
    rung = 0
    for seed in range(20):
        talk = episode("train", seed, TIMERS).talk
        asked = [(line.t, int(re.findall(r"\d+", line.text)[0]), "very" in line.text) for line in talk.questions]
        ends = [*(t for t, _, _ in asked[1:]), talk.seconds]
        for (t, seconds, beats), end in zip(asked, ends, strict=True):
            rings = [line.t - t for line in talk.responses if t < line.t < end]
            assert rings == [seconds * (n + 1) for n in range(len(rings))] and (beats or len(rings) == 1)
            assert not beats or end == talk.seconds or end <= t + rings[-1] + seconds, "no beat is left out"
            rung += len(rings)
    assert rung > 60
    pictures = episode("train", 1, TIMERS).pictures()
    assert all(picture is pictures[0] for picture in pictures)


def test_every_cell_of_a_glimpse_has_the_word_for_what_it_shows() -> None:
    made = episode("train", 3, SEE)
    named = [name for t in range(made.talk.seconds) for name in names_of(made.there, float(t), (3, 4))]
    assert set(named) - {"", None} <= {*CLASSES, *map(str, range(10))} and len(set(named)) > 5
    assert 0.3 < sum(name == "" for name in named) / len(named) < 0.95


# --- shards ------------------------------------------------------------------------------------------------------------------


def annotation(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "video_name": name, "video_path": name, "task_type": "alert", "source": "test",
        "question": [{"content": "Say when.", "time": "1"}], "response": [{"content": "Now.", "time": "2"}],
    } | changes  # fmt: skip


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """Two videos of four seconds, and annotations of which six are of use."""
    for name in ("a.mp4", "b.mp4"):
        write_clip(tmp_path / name, [GREY] * 16, fps=4)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    entries = [
        *[annotation("a.mp4")] * 4,
        annotation("gone.mp4"),
        annotation("b.mp4", response=[]),
        annotation("b.mp4", response=[{"content": "Now.", "time": "9"}]),
        annotation("broken.mp4"),
        annotation("b.mp4", question=[{"content": "When?", "time": "soon"}]),
        annotation("b.mp4"),
        annotation("../secret.mp4"),
        annotation("x" * 300),
        annotation("a.mp4", response=[], quiet=True),
    ]
    write_clip(tmp_path.parent / "secret.mp4", [GREY] * 8, fps=4)
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def converted(path: Path, out: Path) -> list[Outcome]:
    outcomes: list[Outcome] = []
    convert(Conversion(path, path.parent, out, per_shard=3), 1, outcomes.append)
    return outcomes


def test_conversion_keeps_what_is_of_use_and_says_why_the_rest_is_not(annotated: Path, tmp_path: Path) -> None:
    outcomes = converted(annotated, tmp_path / "shards")
    assert sum(outcome.clips for outcome in outcomes) == 6
    told = {name: why for outcome in outcomes for name, why in outcome.rejected}
    assert "no video gone.mp4" in told["gone.mp4"] and "cannot be read" in told["broken.mp4"]
    reasons = " ".join(why for outcome in outcomes for _, why in outcome.rejected)
    assert "responses is empty" in reasons and "past the end" in reasons and "no time" in reasons
    assert "outside the videos' folder" in reasons and "too long" in reasons
    clip = read_clip(shards_in(tmp_path / "shards")[0], 0)
    assert clip.talk.seconds == len(clip.images()) == 4 and clip.talk.responses == (Line(2, "Now."),)


def test_a_stopped_conversion_goes_on_and_mends_what_was_torn(annotated: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    before = converted(annotated, out)
    first, *_, last = shards_in(out)
    kept = first.stat().st_mtime_ns
    last.write_bytes(last.read_bytes()[:100])
    shards._opened.cache_clear()
    with pytest.raises(BadInput, match="torn"):
        shard_size(last)
    assert sorted(converted(annotated, out), key=repr) == sorted(before, key=repr), "rejections are told again"
    shards._opened.cache_clear()
    assert shard_size(last) == 1 and shard_size(first) == 3 and first.stat().st_mtime_ns == kept
    with pytest.raises(BadInput, match="another per_shard"):
        convert(Conversion(annotated, tmp_path, out, per_shard=2), 1, lambda outcome: None)
    with pytest.raises(BadInput, match="another annotations"):
        convert(Conversion(tmp_path / "more.json", tmp_path, out, per_shard=3), 1, lambda outcome: None)


def test_shards_outlive_their_videos_and_are_made_again_of_new_ones(annotated: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    before = sum(outcome.clips for outcome in converted(annotated, out))
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).rename(tmp_path / f"away-{name}")
    assert sum(outcome.clips for outcome in converted(annotated, out)) == before, "they are not looked for again"
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / f"away-{name}").rename(tmp_path / name)
    write_clip(tmp_path / "gone.mp4", [GREY] * 16, fps=4)
    assert sum(outcome.clips for outcome in converted(annotated, out)) == before + 1
    with pytest.raises(BadInput, match="no folder"):
        convert(Conversion(annotated, tmp_path / "nowhere", out, per_shard=3), 1, lambda outcome: None)


def test_what_is_said_after_the_last_whole_second_has_a_picture(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [GREY] * 15, fps=4)
    assert [len(frames_of(path, 10_000, last)) for last in (3.0, 3.04, 3.5, 3.75, 4.0, 9.0)] == [4, 4, 5, 5, 4, 4]


def test_a_chunk_is_read_alone(tmp_path: Path) -> None:
    frames = tuple(bytes([n]) for n in range(250))
    long, short = Talk("a", "alert", 250, (Line(0, "?"),), (Line(2, "!"),)), talk()
    write_shard(tmp_path / "shard-00000.parquet", [Clip(short, frames[:10]), Clip(long, frames), Clip(short, frames[:10])])
    path = tmp_path / "shard-00000.parquet"
    assert shard_size(path) == 3 and read_clip(path, 1).frames == frames
    assert [chunk for _, place, chunk in shards.chunks_in(tmp_path) if place == 1] == [0, 1, 2]
    for chunk, (first, last) in enumerate([(0, 100), (0, 200), (100, 250)]):
        read = read_clip(path, 1, chunk)
        assert read.talk == long and [n for n, frame in enumerate(read.frames) if frame] == list(range(first, last))
        assert len(read.images()) == 250 and read.frames[first:last] == frames[first:last]


def test_damaged_pages_are_told(tmp_path: Path) -> None:
    path = tmp_path / "shard-00000.parquet"
    write_shard(path, [Clip(talk(), tuple(np.random.default_rng(n).bytes(1_000) for n in range(10)))] * 2)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 4] ^= 1
    path.write_bytes(flipped)
    shards._opened.cache_clear()
    with pytest.raises(BadInput, match="clip 1: it is damaged"):
        read_clip(path, 0)
    assert read_clip(path, 1).talk == talk()


def test_the_label_at_a_second_can_be_seen_in_its_picture() -> None:
    """What a rendered response tells has fully come by the second that it is put on, and not a whole second before."""
    for seed in range(60):
        made = episode("train", seed, "alert")
        arrivals = [(article(SEEN.format(x=presence.thing)), presence.since) for presence in made.there]
        for line in made.talk.responses:
            assert any(line.t - 1 < since <= line.t and text == line.text for text, since in arrivals)


def test_a_full_disk_leaves_no_half_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(BadInput, match="No space left"):
        write_shard(tmp_path / "shard-00000.parquet", [Clip(talk(), (b"x",) * 10)])
    assert not list(tmp_path.iterdir())


def test_the_command_names_every_fault_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = shards.jpeg(np.zeros((32, 32, 3), np.uint8))
    whole, missing, damaged = (frame,) * 10, (frame,) * 6, (*(frame,) * 9, b"junk")
    write_shard(tmp_path / "shard-00000.parquet", [Clip(talk(), frames) for frames in (whole, missing, damaged)])
    (tmp_path / "shard-00001.parquet").write_bytes(b"PAR1")
    assert main(["data", "check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "frame 6 of 10 is missing" in said and "frame 9 is damaged" in said and "torn" in said and "1 clips are whole" in said
    assert main(["data", "stats", str(tmp_path)]) == 0
    assert "silent seconds: 90.0%" in capsys.readouterr().out
    assert main(["data", "check", str(tmp_path / "nothing")]) == 2


def test_annotations_that_are_no_list_or_torn_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}', encoding="utf-8")
    with pytest.raises(BadInput, match="no list of clips"):
        converted(path, tmp_path / "s1")
    path.write_text(json.dumps([annotation("a.mp4")] * 4)[:-20], encoding="utf-8")
    for name in ("a.mp4",):
        write_clip(tmp_path / name, [GREY] * 16, fps=4)
    with pytest.raises(BadInput, match="What came before it has been converted"):
        converted(path, tmp_path / "s2")
    assert sum(shard_size(shard) for shard in shards_in(tmp_path / "s2")) == 3


def test_more_clips_in_the_same_file_are_converted_too(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [GREY] * 16, fps=4)
    path = tmp_path / "annotations.json"
    for count in (1, 2):
        path.write_text(json.dumps([annotation("a.mp4")] * count), encoding="utf-8")
        shards._opened.cache_clear()
        assert sum(outcome.clips for outcome in converted(path, tmp_path / "s")) == count


def test_fewer_clips_leave_no_shard_of_the_others(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [GREY] * 16, fps=4)
    path, out = tmp_path / "annotations.json", tmp_path / "out"
    for many in (5, 2):
        path.write_text(json.dumps([annotation("a.mp4")] * many))
        assert sum(outcome.clips for outcome in converted(path, out)) == many
    assert [len(list(out.glob(f"shard-*.{kind}"))) for kind in ("parquet", "json")] == [1, 1]


def test_one_odd_annotation_does_not_end_the_conversion(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [GREY] * 16, fps=4)
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps([annotation("a\u0000.mp4"), annotation("\ud800.mp4"), annotation("a.mp4")]))
    outcomes = converted(path, tmp_path / "out")
    assert sum(outcome.clips for outcome in outcomes) == 1
    assert len([why for outcome in outcomes for _, why in outcome.rejected]) == 2


@pytest.mark.parametrize("size", [(640, 480), (854, 480), (720, 576), (1280, 720), (480, 854)])
def test_training_shows_pictures_of_the_size_that_the_decider_shows(tmp_path: Path, size: tuple[int, int]) -> None:
    processor = Qwen2VLImageProcessorPil(size={"shortest_edge": 65_536, "longest_edge": 16_777_216}, patch_size=16)
    patches = Patches(processor, 262_144, torch.device("cpu"))
    live = np.full((size[1], size[0], 3), 90, np.uint8)
    write_clip(tmp_path / "a.mp4", [live] * 4, fps=2)
    stored = np.asarray(Pillow.open(io.BytesIO(frames_of(tmp_path / "a.mp4", 262_144)[0])))
    assert patches.fitted(stored).shape == patches.fitted(live).shape


def test_a_video_with_a_hole_or_cut_short_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "a.mp4", [GREY] * 40, fps=4)
    monkeypatch.setattr(VideoSource, "pictures", lambda self, end: (Frame(t, GREY) for t in (0.0, 0.5, 1.0, 6.0, 9.8)))
    monkeypatch.setattr(VideoSource, "damaged", 3, raising=False)
    monkeypatch.setattr(VideoSource, "__setattr__", lambda self, k, v: None if k == "damaged" else object.__setattr__(self, k, v))
    with pytest.raises(BadInput, match=r"from 1\.0 to 6\.0 s are missing"):
        frames_of(path, 10_000)
    monkeypatch.setattr(VideoSource, "pictures", lambda self, end: iter((Frame(0.0, GREY), Frame(1.0, GREY))))
    with pytest.raises(BadInput, match=r"end at 1\.0 of 10\.0 s"):
        frames_of(path, 10_000)
