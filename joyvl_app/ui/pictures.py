"""Single pictures from a page whose network blocks live video: bounded, decoded off the loop, damaged ones refused."""

from __future__ import annotations

import asyncio

import cv2
import numpy as np
from fastapi import Request

from joyvl_app.domain import Frame, Image
from joyvl_app.errors import BadInput
from joyvl_app.sources.scaling import fit

MAX_BYTES = 4 << 20


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


def _decode(body: bytes, max_side: int) -> Image:
    decoded = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR) if body else None
    if decoded is None:
        raise BadInput("This is not a picture that can be read.")
    rgb: Image = cv2.cvtColor(fit(decoded, max_side), cv2.COLOR_BGR2RGB)
    return rgb
