"""JPEG and PNG bytes from a stranger → a picture: damaged ones and bombs are refused."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from joyvl_app.domain import Image
from joyvl_app.errors import BadInput
from joyvl_app.sources.scaling import fit

MAX_PIXELS = 40_000_000  # an 8K picture has 33 million
_TOO_MANY = f"A picture may have {MAX_PIXELS // 1_000_000} million pixels."


def decode(body: bytes, max_side: int) -> Image:
    """The picture, RGB, scaled down to `max_side`. Blocks: call it off the loop. Raises BadInput when it is none."""
    _refuse_bombs(body)
    decoded = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise BadInput("This is not a picture that can be read.")
    rgb: Image = cv2.cvtColor(fit(decoded, max_side), cv2.COLOR_BGR2RGB)
    return rgb


def _refuse_bombs(body: bytes) -> None:
    """A few kilobytes can unpack to gigabytes: the header tells before anything is unpacked."""
    try:
        with Pillow.open(BytesIO(body)) as picture:
            width, height = picture.size
    except Pillow.DecompressionBombError as error:
        raise BadInput(_TOO_MANY) from error
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise BadInput("This is not a picture that can be read.") from error
    if width * height > MAX_PIXELS:
        raise BadInput(_TOO_MANY)
