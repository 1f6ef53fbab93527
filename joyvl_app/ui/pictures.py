"""Single pictures from a page whose network blocks live video: bounded, decoded off the loop, damaged ones refused."""

from __future__ import annotations

import asyncio
from io import BytesIO

import cv2
import numpy as np
from fastapi import Request
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from joyvl_app.domain import Frame, Image
from joyvl_app.errors import BadInput
from joyvl_app.sources.scaling import fit

MAX_BYTES = 4 << 20
MAX_PIXELS = 40_000_000  # an 8K picture has 33 million
_TOO_MANY = f"A picture may have {MAX_PIXELS // 1_000_000} million pixels."


async def read_body(request: Request) -> bytes:
    """The request's body. Raises BadInput past 4 MiB, without having read the rest."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            raise BadInput(f"A picture may have {MAX_BYTES >> 20} MB.")
    return bytes(body)


async def decode_picture(body: bytes, t: float, max_side: int) -> Frame:
    """A JPEG or PNG as a frame at session second `t`. Raises BadInput when it is neither."""
    return Frame(t, await asyncio.to_thread(_decode, body, max_side))


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


def _decode(body: bytes, max_side: int) -> Image:
    _refuse_bombs(body)
    decoded = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise BadInput("This is not a picture that can be read.")
    rgb: Image = cv2.cvtColor(fit(decoded, max_side), cv2.COLOR_BGR2RGB)
    return rgb
