"""The whole way from a file to a sentence, through the command line."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from joyvl_app.__main__ import main
from joyvl_app.event_log import read_log
from joyvl_app.events import Footer
from joyvl_app.perception import models
from tests.speech import reading, sentence, silence, write_wav
from tests.support import CLIPS, sign, write_clip, write_sound


def watch(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["watch", "--pace", "fast", "--json", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def spoken(events: list[dict[str, Any]]) -> list[tuple[float, str]]:
    return [(event["decision_t"], event["text"]) for event in events if event["type"] == "spoken"]


def test_security_people_come_and_go_and_a_fire_starts(capsys: pytest.CaptureFixture[str]) -> None:
    said = spoken(watch(capsys, str(CLIPS / "security.mp4"), "--scenario", "security"))
    texts = [text for _, text in said]
    assert texts[0] in ("Someone came in.", "I see 2 people.")
    assert 6.5 <= said[0][0] <= 9.5
    assert texts.count("Careful, I see fire!") == 1
    assert 36 <= said[texts.index("Careful, I see fire!")][0] <= 41.5
    assert "Nobody is there any more." in texts


def test_shopping_names_each_price_once(capsys: pytest.CaptureFixture[str]) -> None:
    said = spoken(watch(capsys, str(CLIPS / "shopping.mp4"), "--scenario", "shopping", "--seconds", "31"))
    text = " ".join(text for _, text in said)
    assert [text.count(price) for price in ("$24.90", "$12.50", "$9.90", "$18.00")] == [1, 1, 1, 1]
    assert "Gift box with lid: $9.90." in text
    assert "I see a cup." in text


def test_lecture_announces_each_slide_within_two_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    said = spoken(watch(capsys, str(CLIPS / "lecture.mp4"), "--scenario", "lecture", "--seconds", "39"))
    titles = ["Seeing the Universe", "Leaving the ground", "Eileen Collins", "Hubble Deep Field", "Summary"]
    assert [text for _, text in said] == [f"New slide: {title}." for title in titles]
    assert all(0 <= t - 9 * number <= 2 for number, (t, _) in enumerate(said))


def test_the_call_greets_and_welcomes_back(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [text for _, text in spoken(watch(capsys, str(CLIPS / "call.mp4"), "--scenario", "video_call"))]
    assert len(texts) == 2
    assert texts[0].startswith("Hello!") and texts[1].startswith("Welcome back!")


def test_text_that_fades_in_is_read_once_and_whole(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = [0.0] * 20 + [step / 6 for step in range(6)] + [1.0] * 34 + [0.0] * 10
    clip = write_clip(tmp_path / "fade.mp4", [sign("THANKS FOR WATCHING", strength) for strength in shown])
    events = watch(capsys, str(clip), "--instruction", "Read aloud any text that appears")
    said = spoken(events)
    assert [text for _, text in said] == ["It says: THANKS FOR WATCHING"]
    assert 2.0 <= said[0][0] <= 5.0
    assert all(event["p_act"] <= 0.5 for event in events if event["type"] == "decision" and event["action"] == "silence")


def test_five_minutes_of_one_picture_are_at_most_one_turn_each(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wishes = ("a person appears", "a dog appears", "there is a fire", "something moves", "a unicorn appears")
    with av.open(str(CLIPS / "call.mp4")) as container:
        container.seek(10_000_000)
        photo = next(container.decode(video=0)).to_ndarray(format="rgb24")
    Image.fromarray(photo).save(tmp_path / "photo.png")
    asked = [argument for what in wishes for argument in ("--instruction", f"Tell me when {what}")]
    events = watch(capsys, str(tmp_path / "photo.png"), "--seconds", "300", *asked)
    said = " ".join(text for _, text in spoken(events))
    assert (
        said.count("came in") <= 1 and said.count("unicorn") == 1 and not any(word in said for word in ("dog", "fire", "moving"))
    )
    assert len(spoken(events)) <= 2
    assert 300 <= sum(event["type"] == "decision" for event in events) <= 302  # a first sight hastens a decision


def test_a_chinese_instruction_is_answered_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    said = spoken(watch(capsys, str(CLIPS / "security.mp4"), "--instruction", "有人来时告诉我", "--seconds", "12"))
    assert said[0][1] == "有人来了。"


def test_the_event_file_is_a_whole_log_without_secrets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from joyvl_app.settings import load_settings

    monkeypatch.setenv("JOYVL_TURN_PASSWORD", "opensesame")
    load_settings.cache_clear()
    path = tmp_path / "events.jsonl"
    watch(capsys, str(CLIPS / "lecture.mp4"), "--seconds", "4", "--events", str(path), "--decider", "chatty")
    load_settings.cache_clear()
    events = list(read_log(path))
    assert isinstance(events[-1], Footer) and events[-1].counts["spoken"] == 4
    assert "opensesame" not in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.mp4"], "There is no file none.mp4"),
        ([str(CLIPS / "call.mp4"), "--scenario", "nope"], "There is no scenario 'nope'. Choose from: security"),
        ([str(CLIPS / "call.mp4"), "--decider", "nope"], "There is no decider 'nope'. Choose from: embedded"),
        ([str(CLIPS / "call.mp4"), "--pace", "slow"], "There is no pace 'slow'"),
        ([str(CLIPS / "call.mp4"), "--instruction", "x" * 10_000], "may have 2000 characters; this one has 10000"),
        ([str(CLIPS / "call.mp4"), "--seconds", "-1"], "--seconds must be above 0"),
        ([str(CLIPS / "call.mp4"), "--audio"], "call.mp4 has no sound in it"),
        ([str(CLIPS / "call.mp4"), "--audio", "none.wav"], "There is no file none.wav"),
        ([str(CLIPS / "call.mp4"), "--speak", str(CLIPS / "call.mp4" / "a.wav")], "Cannot write the sound to"),
        ([str(CLIPS / "call.mp4"), "--events", str(CLIPS / "call.mp4" / "events.jsonl")], "Cannot write the event log"),
    ],
)
def test_bad_input_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    assert main(["watch", *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error


def test_a_missing_weight_ends_the_command_with_its_remedy(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.OnnxModel.__init__, "__defaults__", (tmp_path,))  # the folder of the weights
    assert main(["watch", str(CLIPS / "call.mp4"), "--pace", "fast"]) == 2
    assert "nanodet.onnx is missing" in capsys.readouterr().err


def test_sound_without_pictures_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["watch", str(write_sound(tmp_path / "a.wav"))]) == 2
    assert "only sound" in capsys.readouterr().err


def test_an_instruction_of_emoji_is_watched_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    events = watch(capsys, str(CLIPS / "lecture.mp4"), "--instruction", "😀" * 500, "--seconds", "5")
    assert spoken(events) == []


def test_a_clip_of_noise_is_watched_without_fault(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    clip = write_clip(tmp_path / "noise.mp4", [rng.integers(0, 255, (120, 160, 3), np.uint8) for _ in range(30)])
    events = watch(capsys, str(clip), "--instruction", "Tell me when a person appears. Warn me if there is a fire.")
    assert spoken(events) == []
    assert not [event for event in events if event["type"] == "state" and event["name"] == "error"]


def test_a_spoken_question_is_answered_aloud(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    question = np.concatenate([silence(11), sentence("How many people are there?"), silence(1)])
    asked, answer = write_wav(tmp_path / "asked.wav", question), tmp_path / "answer.wav"
    clip = str(CLIPS / "security.mp4")
    events = watch(
        capsys,
        clip,
        "--audio",
        str(asked),
        "--speak",
        str(answer),
        "--seconds",
        "18",
        "--instruction",
        "Tell me when a dog appears.",
    )
    heard = next(event for event in events if event["type"] == "heard")
    assert heard["text"].lower().startswith("how many people are there") and heard["intent"] == "ask"
    (said,) = [event for event in events if event["type"] == "spoken"]
    assert 0 < said["t_start"] - heard["t_end"] <= 2.5
    with wave.open(str(answer)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert "people" in reading(sound).lower() and sound.size >= 17 * 24_000


def test_a_soundtrack_is_heard_as_the_scene(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    clip, sound = tmp_path / "talk.mp4", np.concatenate([silence(1), sentence("Please stop everything."), silence(2)])
    with av.open(str(clip), "w") as container:
        video, audio = container.add_stream("libx264", rate=10), container.add_stream("aac", rate=16_000)
        video.width, video.height, video.pix_fmt = 480, 270, "yuv420p"
        for _ in range(50):
            container.mux(video.encode(av.VideoFrame.from_ndarray(sign("HELLO"), format="rgb24")))
        frame = av.AudioFrame.from_ndarray(sound[None, :], format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(audio.encode(frame))
        container.mux([*video.encode(), *audio.encode()])
    events = watch(capsys, str(clip), "--audio", "--audio-role", "scene", "--instruction", "Read aloud any text that appears.")
    heard = [(event["role"], event["intent"]) for event in events if event["type"] == "heard"]
    assert heard == [("scene", "")] and [event["text"] for event in events if event["type"] == "instruction"] == [
        "Read aloud any text that appears."
    ]


def test_doctor_says_that_the_app_can_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "embedded         ready" in told
    assert "Scenarios: security, shopping, lecture, video_call" in told
