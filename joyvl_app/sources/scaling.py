"""Pictures of any size, made to fit."""

from __future__ import annotations

import cv2

from joyvl_app.domain import Image


def fitted(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Width and height scaled down so that the longer side is at most `max_side`; never scaled up."""
    scale = min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def fit(image: Image, max_side: int) -> Image:
    height, width = image.shape[:2]
    size = fitted(width, height, max_side)
    return image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def within(image: Image, pixels: int) -> Image:
    """Scaled down so that width times height is at most `pixels`; never scaled up."""
    height, width = image.shape[:2]
    scale = (pixels / (height * width)) ** 0.5
    if scale >= 1:
        return image
    smaller: Image = cv2.resize(image, (max(1, int(width * scale)), max(1, int(height * scale))), interpolation=cv2.INTER_AREA)
    return smaller
