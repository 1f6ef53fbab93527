"""Files as people have them: damaged, empty, silent, rotated, huge, a single picture."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from joyvl_app.domain import Frame
from joyvl_app.errors import BadInput
from joyvl_app.sources import open_source
from joyvl_app.sources.scaling import fit, fitted
from tests.support import CLIPS, sign, write_clip, write_sound


async def frames_of(path: Path, rate: float = 4, max_side: int = 640, most: int = 10_000) -> list[Frame]:
    source = open_source(str(path), rate, max_side)
    found: list[Frame] = []
    async for frame in source.frames():
        found.append(frame)
        if len(found) == most:
            break
    await source.aclose()
    return found


async def test_a_clip_is_thinned_to_the_rate_and_keeps_its_times() -> None:
    frames = await frames_of(CLIPS / "security.mp4")
    assert len(frames) == pytest.approx(48 * 4, abs=2)
    gaps = np.diff([frame.t for frame in frames])
    assert gaps.min() > 0.15 and gaps.max() < 0.35
    assert frames[0].t == 0 and frames[0].image.shape == (480, 640, 3)


async def test_a_one_frame_clip_gives_its_frame(tmp_path: Path) -> None:
    frames = await frames_of(write_clip(tmp_path / "one.mp4", [sign("ONE")]))
    assert [frame.t for frame in frames] == [0.0]


async def test_an_8k_clip_is_scaled_down(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "8k.mp4", [sign("BIG", size=(7680, 4320))] * 2)
    assert [frame.image.shape for frame in await frames_of(path)] == [(360, 640, 3)]


async def test_a_rotated_clip_stands_upright(tmp_path: Path) -> None:
    lying = np.zeros((96, 160, 3), np.uint8)
    lying[:, :40] = (250, 0, 0)  # red at the left edge
    path = write_clip(tmp_path / "turned.mp4", [lying] * 5)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44  # the track header's display matrix: a quarter turn clockwise
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    (frame, *_) = await frames_of(path)
    assert frame.image.shape == (160, 96, 3)
    red = frame.image[..., 0].mean(axis=1) > 150
    assert red[:36].all() and not red[44:].any()  # the left edge has become the top


async def test_a_damaged_stretch_is_passed_over(tmp_path: Path) -> None:
    whole = bytearray((CLIPS / "security.mp4").read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 20_000] = bytes(20_000)
    path = tmp_path / "hurt.mp4"
    path.write_bytes(whole)
    frames = await frames_of(path)
    assert len(frames) > 120
    assert frames[-1].t > 45


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.mp4", b"", "is empty"),
        ("noise.mp4", b"not a video at all " * 100, "cannot be read as a video"),
        ("notes.txt", b"hello", "cannot be read as a video"),
        ("broken.png", b"\x89PNG\r\n\x1a\n" + b"x" * 50, "cannot be read as a picture"),
    ],
)
def test_unusable_files_are_told_apart(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=told):
        open_source(str(tmp_path / name), 4, 640)


def test_missing_files_folders_and_sound(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no file"):
        open_source(str(tmp_path / "none.mp4"), 4, 640)
    with pytest.raises(BadInput, match="is a folder"):
        open_source(str(tmp_path), 4, 640)
    with pytest.raises(BadInput, match="only sound"):
        open_source(str(write_sound(tmp_path / "sound.wav")), 4, 640)


async def test_a_truncated_clip_without_any_picture_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cut.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 96, 160, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((96, 160, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])  # everything before the first cluster
    with pytest.raises(BadInput, match=r"no picture that can be decoded|cannot be read"):
        await frames_of(path)


async def test_a_picture_is_shown_as_long_as_asked_and_turned_by_its_exif(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    picture, exif = Pillow.new("RGB", (400, 200), "red"), Pillow.Exif()
    exif[0x0112] = 6  # the camera was held upright
    picture.save(path, exif=exif)
    frames = await frames_of(path, rate=2, max_side=100, most=5)
    assert [frame.t for frame in frames] == [0, 0.5, 1, 1.5, 2]
    assert frames[0].image.shape == (100, 50, 3)


def test_scaling_never_enlarges() -> None:
    assert fitted(100, 50, 640) == (100, 50)
    assert fitted(7680, 4320, 1280) == (1280, 720)
    assert fitted(10_000, 1, 100) == (100, 1)
    assert fit(np.zeros((10, 20, 3), np.uint8), 10).shape == (5, 10, 3)
