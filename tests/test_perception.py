"""The real networks on real and rendered pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from joyvl_app.domain import Box, Frame, Image
from joyvl_app.errors import MissingPart
from joyvl_app.perception.detector import Detector
from joyvl_app.perception.eyes import Eyes, Nets
from joyvl_app.perception.flames import FlameWatch
from joyvl_app.perception.models import OnnxModel
from joyvl_app.perception.motion import Motion, thumbnail
from joyvl_app.perception.reader import TextReader, read_region, region_to_read
from joyvl_app.perception.tracks import Tracker
from tests.support import CLIPS, sign


@cache
def nets() -> Nets:
    return Nets.load()


def pictures(clip: str, every: float, start: float = 0.0, end: float = 1e9) -> Iterator[tuple[float, Image]]:
    """Pictures of a sample clip with their seconds, one each `every` seconds."""
    with av.open(str(CLIPS / clip)) as container:
        due = start
        for frame in container.decode(video=0):
            t = float(frame.time or 0)
            if due <= t < end:
                due += every
                image: Image = frame.to_ndarray(format="rgb24")  # type: ignore[assignment]
                yield t, image


def picture(clip: str, t: float) -> Image:
    return next(image for _, image in pictures(clip, 1.0, t))


def test_people_are_found_where_they_are() -> None:
    people = [box for box in nets().detector(picture("security.mp4", 8.0)) if box.label == "person" and box.score > 0.5]
    assert len(people) == 2
    assert all(box.area > 0.02 for box in people)
    assert not [box for box in nets().detector(picture("security.mp4", 2.0)) if box.label == "person" and box.score > 0.5]


def test_a_cup_is_a_cup() -> None:
    assert "cup" in {box.label for box in nets().detector(picture("shopping.mp4", 32.0)) if box.score > 0.45}


def test_boxes_do_not_depend_on_the_pictures_size() -> None:
    image = picture("security.mp4", 10.0)
    small = nets().detector(cv2.resize(image, (416, 416)))[0]
    large = nets().detector(cv2.resize(image, (1280, 960)))[0]
    assert small.label == large.label == "person"
    assert abs(small.x0 - large.x0) < 0.03 and abs(small.y1 - large.y1) < 0.03


def test_a_face_and_its_smile() -> None:
    image = picture("call.mp4", 10.0)
    (face,) = nets().faces(image)
    assert 0.3 < face.centre[0] < 0.6 and face.centre[1] < 0.4
    scores = nets().expression(image, face)
    assert scores["happy"] > 0.9 and scores["surprise"] < 0.1
    assert nets().faces(picture("call.mp4", 1.0)) == []


def test_a_face_too_small_carries_no_expression() -> None:
    assert nets().expression(picture("call.mp4", 10.0), Box("face", 0.9, 0.5, 0.5, 0.52, 0.52)) == {}


@cache
def reader() -> TextReader:
    return TextReader()


def test_text_is_read_top_to_bottom() -> None:
    texts = [line.text for line in reader()(picture("lecture.mp4", 12.0))]
    assert texts[0] == "Leaving the ground"
    assert "Stages are dropped when empty" in texts
    assert [line.text for line in reader()(sign("THANKS FOR WATCHING"))] == ["THANKS FOR WATCHING"]
    assert reader()(sign("")) == ()


def test_only_what_changed_is_read_again_and_lines_are_never_cut() -> None:
    before, after = sign("FIRST LINE"), sign("FIRST LINE").copy()
    after[180:240] = sign("SECOND LINE")[105:165]
    motion = Motion()
    changed = motion.changed_region(thumbnail(after), thumbnail(before))
    assert changed is not None and changed.y0 > 0.6 and changed.area < 0.3
    assert motion.changed_region(thumbnail(before), thumbnail(before)) is None
    (first,) = reader()(before)
    region = region_to_read(changed, [first.box])
    assert region is not None
    (second,) = read_region(reader(), after, region)
    assert second.text == "SECOND LINE" and 0.66 < second.box.y0 < 0.85 and 0.2 < second.box.x0 < 0.35
    through_the_middle = Box("region", 1.0, 0.0, 0.0, 0.5, 1.0)
    assert read_region(reader(), before, through_the_middle) == ()
    assert region_to_read(Box("changed", 1.0, 0.0, 0.0, 0.8, 0.9), []) is None


@pytest.mark.parametrize("phase", [0.0, 0.25])
def test_the_flame_is_seen_after_it_began_and_within_five_seconds(phase: float) -> None:
    watch, seen = FlameWatch(), []
    for t, image in pictures("security.mp4", 0.5, phase):
        box = watch.observe(image)
        if box and box.score >= 0.6:
            seen.append(t)
    assert seen and 36.0 < seen[0] < 40.0


@pytest.mark.parametrize("clip", ["call.mp4", "shopping.mp4", "lecture.mp4"])
def test_an_orange_suit_a_printed_box_and_a_rocket_are_no_fire(clip: str) -> None:
    watch = FlameWatch()
    scores = [box.score for _, image in pictures(clip, 0.5) if (box := watch.observe(image))]
    assert max(scores, default=0.0) < 0.6


def test_a_still_fire_coloured_thing_is_no_fire() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    cv2.ellipse(image, (160, 160), (30, 60), 0, 0, 360, (250, 160, 40), -1)
    watch = FlameWatch()
    assert [watch.observe(image) for _ in range(10)] == [None] * 10


def test_motion_tells_rest_from_change_despite_noise_and_light() -> None:
    rng, motion = np.random.default_rng(0), Motion()
    base = picture("security.mp4", 1.0)

    def noisy(image: Image, light: int = 0) -> Image:
        return np.clip(image.astype(np.int16) + rng.normal(0, 6, image.shape) + light, 0, 255).astype(np.uint8)

    changes = [motion.observe(thumbnail(noisy(base))) for _ in range(8)]
    assert all(change.at_rest for change in changes[1:])
    assert motion.observe(thumbnail(noisy(base, light=12))).at_rest
    moved = noisy(base)
    moved[200:320, 300:380] = 230
    assert not motion.observe(thumbnail(moved)).at_rest
    assert motion.differs(thumbnail(noisy(base)), thumbnail(base)) == 0
    assert motion.differs(thumbnail(moved), thumbnail(base)) > 0.01


def test_a_still_picture_is_not_searched_again() -> None:
    calls, detector = 0, Detector()

    def counting(image: Image, undistorted: bool = False) -> list[Box]:
        nonlocal calls
        calls += not undistorted
        return detector(image, undistorted)

    eyes, image = Eyes(replace(Nets.load(), detector=counting)), picture("security.mp4", 8.0)
    looks = []
    for t in range(40):
        looks.append(eyes.look(Frame(t / 2, image)))
        eyes.look_again()
    assert calls == 2  # at the start, and once more after fifteen seconds
    assert [len([box for box in look.things if box.label == "person"]) for look in looks[2:]] == [2] * 38


def test_a_track_keeps_its_number_and_leaves_after_its_patience() -> None:
    tracker = Tracker()
    numbers = set()
    for step in range(10):
        x = 0.1 + 0.05 * step
        tracks = tracker.observe(step / 2, [Box("person", 0.8, x, 0.2, x + 0.1, 0.8)])
        numbers |= {track.number for track in tracks}
    assert numbers == {1}
    gone = [len(tracker.observe(5.0 + step / 2, [])) for step in range(4)]
    assert gone == [1, 1, 0, 0]


def test_two_people_who_pass_stay_two() -> None:
    tracker = Tracker()
    for step in range(9):
        a, b = 0.1 + 0.08 * step, 0.74 - 0.08 * step
        boxes = [Box("person", 0.8, x, 0.2, x + 0.1, 0.8) for x in (a, b)]
        tracks = tracker.observe(step / 2, boxes if abs(a - b) > 0.02 else boxes[:1])
    assert len(tracks) == 2


def test_missing_and_damaged_weights_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"nanodet.onnx is missing.*git checkout"):
        OnnxModel("nanodet", tmp_path)
    (tmp_path / "nanodet.onnx").write_bytes(b"half a file")
    with pytest.raises(MissingPart, match="damaged"):
        OnnxModel("nanodet", tmp_path)


def test_a_fire_that_burns_on_is_still_a_fire() -> None:
    burning = [image for _, image in pictures("security.mp4", 0.1, 44.0)]
    rng, watch = np.random.default_rng(0), FlameWatch()
    for _, image in pictures("security.mp4", 0.5, 30.0, 44.0):
        watch.observe(image)
    last = [watch.observe(burning[int(rng.integers(len(burning)))]) for _ in range(400)][-100:]
    assert sum(box is not None and box.score >= 0.6 for box in last) > 60
    out = [watch.observe(picture("security.mp4", 1.0)) for _ in range(10)]
    assert out == [None] * 10
