"""The renderer's photographs, made small, some cut out. Sources and licences: ../README.md.

python photos.py SKIMAGE_DATA MATPLOTLIB_SAMPLE_DATA SKLEARN_IMAGES GNOME_FACES OPENCV_EXAMPLES
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

OUT = Path(__file__).resolve().parent.parent / "photos"
SIDE = 560  # of the longer side, pixels
# name → folder (an argument's number), file, box to cut to (fractions), outline of what stays (None: all of it)
Outline = list[tuple[str, tuple[float, float, float, float]]]
PHOTOS: dict[str, tuple[int, str, tuple[float, float, float, float], Outline | None]] = {
    "dev/astronaut": (0, "astronaut.png", (0, 0, 1, 1), [
        ("keep", (0.30, 0.06, 0.58, 0.42)), ("keep", (0.18, 0.62, 0.74, 1.0)),
        ("drop", (0, 0, 0.04, 1)), ("drop", (0.66, 0, 1, 0.35)), ("drop", (0, 0, 0.2, 0.28)), ("drop", (0.6, 0, 1, 0.12)),
        ("drop", (0.7, 0.35, 1, 0.62)),
    ]),
    "dev/chelsea": (0, "chelsea.png", (0, 0, 1, 1), None),
    "dev/coffee": (0, "coffee.png", (0, 0, 1, 1), None),
    "dev/rocket": (0, "rocket.jpg", (0, 0, 1, 1), None),
    "dev/tomatoes": (3, "tomatoes.jpg", (0, 0, 1, 1), None),
    "dev/mountain": (3, "mountain.jpg", (0, 0, 1, 1), None),
    "test/hopper": (1, "grace_hopper.jpg", (0, 0, 1, 1), [
        ("keep", (0.36, 0.06, 0.7, 0.52)), ("keep", (0.1, 0.68, 0.92, 1.0)),
        ("drop", (0, 0, 0.33, 0.5)), ("drop", (0, 0.5, 0.22, 0.6)), ("drop", (0.84, 0, 1, 0.5)), ("drop", (0, 0, 1, 0.02)),
    ]),
    "test/cat": (3, "cat.jpg", (0, 0, 1, 1), None),
    "test/bird": (3, "hummingbird.jpg", (0, 0, 1, 1), [
        ("keep", (0.42, 0.28, 0.6, 0.75)), ("keep", (0.62, 0.3, 0.9, 0.45)), ("keep", (0.2, 0.21, 0.4, 0.26)),
        ("drop", (0, 0.4, 0.3, 1)), ("drop", (0, 0, 1, 0.2)), ("drop", (0, 0.28, 0.3, 0.45)), ("drop", (0.86, 0.85, 1, 1)),
        ("drop", (0, 0, 0.11, 1)), ("drop", (0.5, 0.2, 0.78, 0.26)),
    ]),
    "test/plane": (3, "plane.jpg", (0, 0, 1, 1), None),
    "test/latte": (3, "coffee2.jpg", (0, 0, 1, 1), None),
    "test/surfer": (3, "surfer.jpg", (0, 0, 1, 1), None),
    "test/book": (3, "book.jpg", (0, 0, 1, 1), None),
    "test/dog": (4, "data/chicky_512.png", (0, 0, 1, 1), None),
    "test/alley": (4, "data/leuvenA.jpg", (0, 0, 1, 1), None),
    "test/pagoda": (2, "china.jpg", (0, 0, 1, 1), None),
    "test/dahlia": (2, "flower.jpg", (0, 0, 1, 1), None),
}  # fmt: skip


def cut_out(photo: np.ndarray, outline: Outline) -> np.ndarray:
    """Alpha by GrabCut from boxes that surely belong, or surely do not."""
    height, width = photo.shape[:2]
    mask = np.full((height, width), cv2.GC_PR_FGD, np.uint8)
    for word, (x0, y0, x1, y1) in outline:
        rows, columns = slice(int(y0 * height), int(y1 * height)), slice(int(x0 * width), int(x1 * width))
        if word == "drop":
            mask[rows, columns] = cv2.GC_BGD
        else:
            cv2.ellipse(mask, (int((x0 + x1) / 2 * width), int((y0 + y1) / 2 * height)),
                        (int((x1 - x0) / 2 * width), int((y1 - y0) / 2 * height)), 0, 0, 360, int(cv2.GC_FGD), -1)  # fmt: skip
    bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 8, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else 0
    solid = cv2.morphologyEx((labels == largest).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    return (cv2.GaussianBlur(solid.astype(np.float32), (5, 5), 0) * 255).astype(np.uint8)


def make(name: str, folders: list[Path]) -> None:
    number, file, (x0, y0, x1, y1), outline = PHOTOS[name]
    with Image.open(folders[number] / file) as picture:
        photo = picture.convert("RGB")
    photo = photo.crop((int(x0 * photo.width), int(y0 * photo.height), int(x1 * photo.width), int(y1 * photo.height)))
    photo.thumbnail((SIDE, SIDE))
    pixels = np.asarray(photo)
    alpha = cut_out(pixels, outline) if outline else np.full(pixels.shape[:2], 255, np.uint8)
    path = OUT / f"{name}.webp"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.dstack([pixels, alpha])).save(path, quality=86, alpha_quality=90, method=6)
    print(f"{name}: {pixels.shape[1]}×{pixels.shape[0]}, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    for photo_name in PHOTOS:
        make(photo_name, [Path(argument) for argument in sys.argv[1:]])
