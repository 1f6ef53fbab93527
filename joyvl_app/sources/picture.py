"""A still picture, looked at for as long as is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from joyvl_app.domain import Frame, Image
from joyvl_app.errors import BadInput
from joyvl_app.sources.scaling import fitted

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
_MOST_PIXELS = 200_000_000


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES


class PictureSource:
    """The same picture `rate` times a second, without end."""

    seconds: float | None = None

    def __init__(self, path: Path, rate: float, max_side: int) -> None:
        self.name = path.name
        self._rate = rate
        self._image = _load(path, max_side)

    async def frames(self) -> AsyncIterator[Frame]:
        number = 0
        while True:
            yield Frame(number / self._rate, self._image)
            number += 1

    async def aclose(self) -> None:
        return None


def _load(path: Path, max_side: int) -> Image:
    try:
        with Pillow.open(path) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise BadInput(f"{path.name} has more than {_MOST_PIXELS // 1_000_000} million pixels; make it smaller.")
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            return np.asarray(upright.resize(fitted(*upright.size, max_side)))
    except (UnidentifiedImageError, OSError, ValueError, Pillow.DecompressionBombError) as error:
        raise BadInput(f"{path.name} cannot be read as a picture; it may be damaged.") from error
