"""lecture.mp4: five slides with photographs, a moving pointer, and slides that build up line by line.

Photographs: scikit-image's data (NASA and others, public domain).
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from common import blend, draw, ease, font, photograph, write

FPS = 12
SIZE = (960, 540)
SLIDES = (
    ("Seeing the Universe", ["Lecture 3", "From rockets to telescopes"], None),
    ("Leaving the ground", ["A rocket carries its own oxygen", "Stages are dropped when empty"], "rocket.jpg"),
    ("Eileen Collins", ["First woman to command", "a Space Shuttle, in 1999"], "astronaut.png"),
    ("Hubble Deep Field", ["Ten days of exposure in 1995", "About 3,000 galaxies in one picture"], "hubble_deep_field.jpg"),
    ("Summary", ["1. Rockets need stages", "2. People fly them", "3. Telescopes look back in time"], None),
)
SECONDS_EACH = 9.0


def slide(title: str, lines: list[str], photo: str | None) -> np.ndarray:
    picture, pen = draw(np.full((SIZE[1], SIZE[0], 3), 250, np.uint8))
    pen.rectangle((0, 0, SIZE[0], 14), fill=(38, 84, 124))
    pen.text((60, 60), title, font=font(46, "-Bold"), fill=(24, 32, 44))
    for number, line in enumerate(lines):
        pen.text((64, 170 + 62 * number), line, font=font(28), fill=(50, 58, 70))
    image = np.asarray(picture).copy()
    if photo:
        small = _fitted(photograph(photo), 330)
        top, left = 150, SIZE[0] - 50 - small.shape[1]
        image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def _fitted(photo: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(photo.shape[:2])
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def pointed(image: np.ndarray, t: float) -> np.ndarray:
    """A laser pointer wandering along the lines."""
    out = image.copy()
    x = int(300 + 220 * np.sin(t * 0.9) + 40 * np.sin(t * 2.3))
    y = int(240 + 90 * np.sin(t * 0.6 + 1))
    cv2.circle(out, (x, y), 7, (225, 40, 40), -1, cv2.LINE_AA)
    return out


def frames() -> Iterator[np.ndarray]:
    before: np.ndarray | None = None
    for number, (title, lines, photo) in enumerate(SLIDES):
        page = slide(title, lines, photo)
        for i in range(int(SECONDS_EACH * FPS)):
            shown = page if before is None else blend(before, page, ease(i / 4))
            yield pointed(shown, number * SECONDS_EACH + i / FPS)
        before = page


if __name__ == "__main__":
    write("lecture.mp4", frames(), FPS, crf=25)
