"""Two rendered fires that share nothing but their colours; neither is a real one."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Heat = NDArray[np.float32]  # (96, 80), 0 cold … 1 white hot


class Fire(Protocol):
    def step(self, strength: float) -> Heat: ...


class RisingHeat:
    """A field that is fed at its foot, rises and cools (the dev split's fire)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng, self._heat = rng, np.zeros((96, 80), np.float32)

    def step(self, strength: float) -> Heat:
        """A tenth of a second later; `strength` 0…1 is how much burns."""
        for _ in range(5):
            self._rise(strength)
        return np.asarray(cv2.GaussianBlur(self._heat, (3, 3), 0), np.float32)

    def _rise(self, strength: float) -> None:
        height, width = self._heat.shape
        x = np.abs(np.arange(width) - width / 2) / (width / 2)
        fuel = np.clip(1.15 - x / max(0.12, 0.7 * strength), 0, 1) * self._rng.uniform(0.55, 1.0, width)
        self._heat[:-1] = self._heat[1:]
        self._heat[-1] = fuel * (0.8 + 0.2 * strength)
        self._heat = np.roll(self._heat, int(self._rng.integers(-1, 2)), axis=1)
        cooling = self._rng.uniform(0.0, 0.085 - 0.06 * strength, (height, width)).astype(np.float32)
        self._heat = np.clip(cv2.blur(self._heat, (3, 1)) - cooling, 0, 1).astype(np.float32)


class Tongues:
    """Licking tongues: soft drops that are born at the foot, waver, shrink and fade (the test split's fire)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._drops = np.zeros((0, 4), np.float32)  # x, y, age, pace
        self._t = 0.0

    def step(self, strength: float) -> Heat:
        self._t += 0.1
        born = self._rng.normal((0.5, 0.0, 0.0, 1.0), (0.11 * strength + 0.03, 0.02, 0.0, 0.25), (int(4 + 14 * strength), 4))
        self._drops = np.concatenate([self._drops, born.astype(np.float32)])
        self._drops[:, 1] += 0.075 * np.clip(self._drops[:, 3], 0.3, 2) * (0.5 + 0.6 * strength)
        self._drops[:, 0] += 0.018 * np.sin(7 * self._t + 9 * self._drops[:, 1]) + 0.08 * (0.5 - self._drops[:, 0])
        self._drops[:, 2] += 0.105
        self._drops = self._drops[self._drops[:, 2] < 1]
        return self._painted(strength)

    def _painted(self, strength: float) -> Heat:
        heat = np.zeros((96, 80), np.float32)
        for x, y, age, _ in self._drops:
            centre = (int(x * 80), int(84 - y * 86 * (0.45 + 0.55 * strength)))
            size = (10 * (1 - age) + 1.5) * (0.5 + 0.5 * strength)
            axes = (max(1, int(0.7 * size)), max(1, int(1.5 * size)))
            cv2.ellipse(heat, centre, axes, 0, 0, 360, float(0.8 - 0.5 * age), -1)
        return np.asarray(cv2.GaussianBlur(heat, (9, 13), 0).clip(0, 1), np.float32)


def coloured(heat: Heat, width: int, height: int) -> NDArray[np.uint8]:
    """Heat as a sprite: dark red at its edge, yellow and nearly white within."""
    hot = cv2.resize(heat, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    colour = np.stack([hot * 3.2, hot * 2.4 - 0.55, hot * 2.2 - 1.35], axis=-1).clip(0, 1)
    alpha = np.clip(hot * 2.6 - 0.25, 0, 1)[..., None]
    return (np.concatenate([colour, alpha], axis=-1) * 255).astype(np.uint8)
