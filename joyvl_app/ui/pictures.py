"""Single pictures from a page whose network blocks live video: bounded, decoded off the loop."""

from __future__ import annotations

import asyncio

from fastapi import Request, Response

from joyvl_app.api.guard import bounded_body
from joyvl_app.domain import Frame
from joyvl_app.sources.encoded import decode

MAX_BYTES = 4 << 20


async def read_picture(request: Request, t: float, max_side: int) -> Frame:
    """A JPEG or PNG in a request's body as a frame at session second `t`. Raises BadInput when it is neither, or too large."""
    body = await bounded_body(request, MAX_BYTES, "A picture")
    return Frame(t, await asyncio.to_thread(decode, body, max_side))


def jpeg(body: bytes) -> Response:
    """A key frame for its owner's page alone."""
    return Response(body, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})
