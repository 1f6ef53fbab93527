"""Single pictures from a page whose network blocks live video: bounded, decoded off the loop."""

from __future__ import annotations

import asyncio

from fastapi import Request

from joyvl_app.domain import Frame
from joyvl_app.errors import BadInput
from joyvl_app.sources.encoded import decode

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
    return Frame(t, await asyncio.to_thread(decode, body, max_side))
