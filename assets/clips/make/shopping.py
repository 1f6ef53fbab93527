"""shopping.mp4: a livestream shop. Real hands with products, price cards that slide in, one price that drops.

Footage: cup.mp4 and box.mp4 of OpenCV's samples (Debian package opencv-doc); the coffee photograph is scikit-image's
(public domain). Names and prices are made up.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from common import blend, draw, ease, font, opencv_sample, photograph, read, write

FPS = 15
SIZE = (640, 480)
INK, PAPER, ACCENT = (24, 28, 34, 255), (255, 255, 255, 235), (196, 52, 45, 255)
# name, price, seconds: from, to
CARDS = (
    ("Steel bottle 750 ml", "$24.90", 2.0, 11.0),
    ("Gift box with lid", "$12.50", 14.0, 20.0),
    ("Gift box with lid", "$9.90", 20.0, 26.0),
    ("Coffee cup and saucer", "$18.00", 28.5, 36.0),
)
SECONDS = 40


def footage(name: str, seconds: float) -> list[np.ndarray]:
    """The clip at our rate, played to and fro until it is long enough."""
    frames = [cv2.resize(frame, SIZE) for frame in read(opencv_sample(name))]
    loop = frames + frames[-2:0:-1]
    return [loop[int(i * 30 / FPS) % len(loop)] for i in range(int(seconds * FPS))]


def coffee(seconds: float) -> Iterator[np.ndarray]:
    photo = photograph("coffee.png")
    for i in range(int(seconds * FPS)):
        zoom = 1 + 0.12 * i / (seconds * FPS)
        height, width = int(400 / zoom), int(533 / zoom)
        top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
        yield cv2.resize(photo[top : top + height, left : left + width], SIZE, interpolation=cv2.INTER_CUBIC)


def dressed(image: np.ndarray, t: float) -> np.ndarray:
    picture, pen = draw(image)
    pen.rounded_rectangle((16, 14, 252, 46), 8, fill=ACCENT)
    pen.text((28, 20), "LIVE  Harbour Home", font=font(17, "-Bold"), fill="white")
    for name, price, start, end in CARDS:
        if start <= t < end:
            offset = 0 if price == "$9.90" else int((1 - ease((t - start) / 0.6)) * 140)
            _card(pen, name, price, 372 + offset)
    return np.asarray(picture)


def _card(pen, name: str, price: str, top: int) -> None:
    pen.rounded_rectangle((16, top, 400, top + 92), 12, fill=PAPER)
    pen.text((32, top + 12), name, font=font(22), fill=INK)
    pen.text((32, top + 44), price, font=font(34, "-Bold"), fill=ACCENT)


def closing() -> np.ndarray:
    picture, pen = draw(np.full((SIZE[1], SIZE[0], 3), (36, 42, 50), np.uint8))
    pen.text((320, 200), "THANK YOU FOR WATCHING", font=font(36, "-Bold"), fill="white", anchor="mm")
    pen.text((320, 260), "Next show on Friday at 20:00", font=font(22), fill=(210, 214, 220), anchor="mm")
    return np.asarray(picture)


def frames() -> Iterator[np.ndarray]:
    scenes = footage("cup.mp4", 12.5) + footage("box.mp4", 14.5) + list(coffee(9.5))
    for number, image in enumerate(scenes):
        yield dressed(image, number / FPS)
    last, end = scenes[-1], closing()
    for number in range(int(SECONDS * FPS) - len(scenes)):
        yield blend(last, end, ease(number / 8))


if __name__ == "__main__":
    write("shopping.mp4", frames(), FPS, crf=27)
