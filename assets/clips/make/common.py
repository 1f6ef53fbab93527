"""Shared by the clip makers: reading material, writing H.264, fonts, easing."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

OUT = Path(__file__).resolve().parent.parent
OPENCV_DOC = Path("/usr/share/doc/opencv-doc")  # Debian's package opencv-doc
DEJAVU = "/usr/share/fonts/truetype/dejavu/DejaVuSans{}.ttf"  # Debian's package fonts-dejavu-core


def opencv_sample(name: str) -> Path | io.BytesIO:
    """A clip of Debian's opencv-doc, unpacked if it is stored compressed."""
    for path in (OPENCV_DOC / "examples/data" / name, OPENCV_DOC / "opencv4/html" / name):
        if path.exists():
            return path
        if (packed := path.with_name(path.name + ".gz")).exists():
            return io.BytesIO(gzip.decompress(packed.read_bytes()))
    raise SystemExit(f"{name} not found: apt-get install opencv-doc")


def photograph(name: str) -> np.ndarray:
    """A photograph without restrictions from scikit-image's wheel (set SKIMAGE_DATA to its data folder)."""
    if not (folder := os.environ.get("SKIMAGE_DATA")):
        import skimage

        folder = str(Path(skimage.__file__).parent / "data")
    return np.asarray(Image.open(Path(folder) / name).convert("RGB"))


def read(source: Path | io.BytesIO) -> Iterator[np.ndarray]:
    with av.open(source) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def write(name: str, frames: Iterable[np.ndarray], fps: int, crf: int = 26) -> None:
    path = OUT / name
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": str(crf), "preset": "slow"})
        stream.pix_fmt = "yuv420p"
        for number, image in enumerate(frames):
            if number == 0:
                stream.height, stream.width = image.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode())
    print(f"{name}: {path.stat().st_size / 1e6:.2f} MB")


def font(size: int, style: str = "") -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(DEJAVU.format(style), size)


def draw(image: np.ndarray) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.fromarray(image)
    return picture, ImageDraw.Draw(picture, "RGBA")


def ease(x: float) -> float:
    """0 → 1 smoothly."""
    x = min(1.0, max(0.0, x))
    return x * x * (3 - 2 * x)


def blend(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    return cv2.addWeighted(a, 1 - share, b, share, 0)


def noisy(image: np.ndarray, rng: np.random.Generator, sigma: float = 2.0) -> np.ndarray:
    grain = rng.normal(0, sigma, image.shape[:2])[..., None]
    return np.clip(image.astype(np.float32) + grain, 0, 255).astype(np.uint8)
