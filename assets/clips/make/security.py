"""security.mp4: real surveillance footage (two people come, both leave, one passes), then a rendered flame that grows.

Footage: vtest.avi of OpenCV's samples (Debian package opencv-doc), 46.0–79.5 s, lower left quarter. The tail repeats its
own empty seconds 46.0–51.5 with the flame drawn in; the flame is rendered, no real fire was filmed.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from common import ease, opencv_sample, read, write

FPS = 10
SIZE = (640, 480)
FLAME_AT, FLAME_SECONDS = 35.0, 13.0
BASE = (430, 330)  # where it burns, pixels of the finished picture


class Flame:
    """Heat rises through a small field, cooling as it goes: flicker, an anchored base, and growth with `strength`."""

    def __init__(self, seed: int = 7) -> None:
        self._rng = np.random.default_rng(seed)
        self._heat = np.zeros((72, 56), np.float32)

    def frame(self, strength: float) -> np.ndarray:
        for _ in range(5):
            self._step(strength)
        return cv2.GaussianBlur(self._heat, (3, 3), 0)

    def _step(self, strength: float) -> None:
        height, width = self._heat.shape
        x = np.abs(np.arange(width) - width / 2) / (width / 2)
        fuel = np.clip(1.15 - x / max(0.12, 0.75 * strength), 0, 1) * self._rng.uniform(0.55, 1.0, width)
        self._heat[:-1] = self._heat[1:]
        self._heat[-1] = fuel * (0.8 + 0.2 * strength)
        self._heat = np.roll(self._heat, int(self._rng.integers(-1, 2)), axis=1)
        cooling = self._rng.uniform(0.0, 0.11 - 0.08 * strength, (height, width)).astype(np.float32)
        self._heat = np.clip(cv2.blur(self._heat, (3, 1)) - cooling, 0, 1)


def lit(image: np.ndarray, heat: np.ndarray, strength: float) -> np.ndarray:
    """The flame over the picture, with its glow on the ground."""
    flame = cv2.resize(heat, (150, 190), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    colour = np.stack([flame * 3.2, flame * 2.4 - 0.55, flame * 2.2 - 1.35], axis=-1).clip(0, 1) * 255
    y, x = np.mgrid[:190, :150]
    base = np.clip((1 - ((x - 75) / 75) ** 2 * 0.12 - y / 190) / 0.10, 0, 1)  # a round, soft foot
    alpha = (np.clip(flame * 2.6 - 0.25, 0, 1) * base)[..., None]
    out = image.astype(np.float32)
    rows, columns = np.mgrid[: out.shape[0], : out.shape[1]]
    distance = np.hypot(columns - BASE[0], (rows - BASE[1]) * 1.8)
    glow = np.exp(-((distance / 120) ** 2))[..., None] * strength * (0.6 + 0.4 * heat.mean() * 4)
    out += glow * np.array([60, 26, 4])
    top, left = BASE[1] - 180, BASE[0] - 75
    patch = out[top : top + 190, left : left + 150]
    out[top : top + 190, left : left + 150] = patch * (1 - alpha) + colour * alpha
    return out.clip(0, 255).astype(np.uint8)


def frames() -> Iterator[np.ndarray]:
    footage = list(read(opencv_sample("vtest.avi")))
    height, width = footage[0].shape[:2]
    crop = (slice(height // 2, height), slice(int(0.05 * width), int(0.55 * width)))
    scene = [cv2.resize(frame[crop], SIZE, interpolation=cv2.INTER_CUBIC) for frame in footage[460:795]]
    yield from scene
    flame, empty = Flame(), scene[:55]
    for number in range(int((FLAME_AT - len(scene) / FPS + FLAME_SECONDS) * FPS)):
        image = empty[abs(number % 108 - 54)]  # to and fro, so that nothing jumps
        t = (len(scene) + number) / FPS - FLAME_AT
        yield lit(image, flame.frame(s := 0.2 + 0.8 * ease(t / 6)), s) if t >= 0 else image


if __name__ == "__main__":
    write("security.mp4", frames(), FPS, crf=25)
