"""call.mp4: an empty room; somebody joins a video call with a smile, leaves, and comes back.

The person is astronaut Eileen Collins in NASA's portrait (public domain, from scikit-image's data), cut out unchanged;
the room and her coming and going are rendered.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from common import ease, noisy, photograph, write

FPS = 12
SIZE = (640, 480)
SECONDS = 36
JOINS, LEAVES, RETURNS = 4.0, 19.0, 27.0  # seconds


def room() -> np.ndarray:
    """A plain wall with a window and a shelf, out of focus."""
    image = np.full((SIZE[1], SIZE[0], 3), (196, 190, 180), np.uint8)
    cv2.rectangle(image, (40, 40), (230, 260), (222, 232, 240), -1)
    cv2.rectangle(image, (130, 40), (138, 260), (240, 240, 236), -1)
    cv2.rectangle(image, (420, 150), (620, 162), (120, 92, 66), -1)
    for x, colour in ((440, (150, 60, 50)), (466, (60, 90, 120)), (492, (200, 170, 90)), (520, (80, 110, 80))):
        cv2.rectangle(image, (x, 84), (x + 20, 150), colour, -1)
    cv2.rectangle(image, (0, 400), (640, 480), (140, 116, 92), -1)
    return cv2.GaussianBlur(image, (31, 31), 0)


def cut_out(photo: np.ndarray) -> np.ndarray:
    """Where the person is, 0…1: head and shoulders cut out by GrabCut."""
    mask = np.full(photo.shape[:2], cv2.GC_PR_BGD, np.uint8)
    cv2.ellipse(mask, (225, 125), (72, 105), 0, 0, 360, int(cv2.GC_FGD), -1)
    cv2.ellipse(mask, (235, 420), (190, 230), 0, 0, 360, int(cv2.GC_PR_FGD), -1)
    cv2.ellipse(mask, (235, 450), (140, 180), 0, 0, 360, int(cv2.GC_FGD), -1)
    mask[:, :20] = cv2.GC_BGD
    mask[:60, 330:] = cv2.GC_BGD
    mask[:180, 340:] = cv2.GC_BGD
    mask[:150, :110] = cv2.GC_BGD
    bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else 0
    solid = cv2.morphologyEx((labels == largest).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    return cv2.GaussianBlur(solid.astype(np.float32), (5, 5), 0)


def presence(t: float) -> float:
    """0 out of the picture, 1 in the middle."""
    if t < LEAVES:
        return ease((t - JOINS) / 1.2)
    return 1 - ease((t - LEAVES) / 1.2) if t < RETURNS else ease((t - RETURNS) / 1.2)


def frames() -> Iterator[np.ndarray]:
    rng, wall, photo = np.random.default_rng(3), room(), photograph("astronaut.png")
    mask = cut_out(photo)
    for number in range(SECONDS * FPS):
        t = number / FPS
        sway_x, sway_y = 6 * np.sin(t * 0.7), 3 * np.sin(t * 1.3)
        x = 75 + sway_x + (1 - presence(t)) * 640
        place = np.array([[0.95, 0, x], [0, 0.95, 10 + sway_y]], np.float32)
        moved = cv2.warpAffine(photo, place, SIZE)
        alpha = cv2.warpAffine(mask, place, SIZE)[..., None]
        yield noisy((wall * (1 - alpha) + moved * alpha).astype(np.uint8), rng, 1.5)


if __name__ == "__main__":
    write("call.mp4", frames(), FPS, crf=26)
