"""The size in which a model of the Qwen-VL kind is shown a picture."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from joyvl_app.domain import Image


def fitted(image: Image, cell: int, least: int, most: int) -> Image:
    """Sides in whole cells of `cell` pixels, between `least` and `most` pixels of area; the picture itself where it fits."""
    height, width = image.shape[:2]
    size = smart_resize(height, width, cell, least, most)
    if size == (height, width):
        return image
    return np.asarray(Pillow.fromarray(image).resize(size[::-1], Pillow.Resampling.BICUBIC))
