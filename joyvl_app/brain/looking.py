"""Looking again at a picture: a part of it enlarged, its text read, its things named. Networks are loaded when first needed."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import cv2
import numpy as np

from joyvl_app.domain import Frame, Image
from joyvl_app.ports import Clock
from joyvl_app.worker import Worker

Part = Literal["whole", "left", "right", "top", "bottom", "middle"]
_PARTS: dict[str, tuple[float, float, float, float]] = {
    "whole": (0, 0, 1, 1), "left": (0, 0, 0.5, 1), "right": (0.5, 0, 1, 1), "top": (0, 0, 1, 0.5), "bottom": (0, 0.5, 1, 1),
    "middle": (0.25, 0.25, 0.75, 0.75),
}  # fmt: skip
_SIDE = 960  # a part is enlarged to this
_SURE = 0.45


class SecondLook:
    """Shared by all runs; one picture at a time, off the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._worker = Worker("second-look", clock)
        self._nets: tuple[Any, Any] | None = None

    async def read(self, frame: Frame, part: Part) -> str:
        """The text in a part of a picture, top to bottom, and what is there by name."""
        return await self._worker.run(lambda: self._look(zoomed(frame.image, part)))

    def close(self) -> None:
        self._worker.close()

    def _look(self, image: Image) -> str:
        if self._nets is None:
            from joyvl_app.perception.detector import Detector
            from joyvl_app.perception.reader import TextReader

            self._nets = (Detector(), TextReader())
        detector, reader = self._nets
        things = Counter(box.label for box in detector(image) if box.score >= _SURE)
        lines = [line.text for line in reader(image)]
        told = ", ".join(f"{count} {name}" for name, count in things.items()) or "nothing that has a name here"
        return f"things: {told}\ntext: {' / '.join(lines) or 'none'}"


def zoomed(image: Image, part: Part) -> Image:
    """A part of a picture, enlarged where it is small."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = _PARTS[part]
    cropped = image[int(y0 * height) : int(y1 * height), int(x0 * width) : int(x1 * width)]
    scale = min(3.0, _SIDE / max(cropped.shape[:2]))
    larger: Image = cv2.resize(np.ascontiguousarray(cropped), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return cropped if scale <= 1 else larger
