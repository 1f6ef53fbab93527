"""What every route asks of a request: that it comes from our own page, and that it is not too large."""

from __future__ import annotations

from fastapi import Request

from joyvl_app.errors import BadInput


def refuse_foreign_pages(request: Request) -> None:
    """Another site's page must not act in this visitor's name. Raises BadInput."""
    origin = request.headers.get("origin")
    if origin and origin.split("://", 1)[-1] not in (request.headers.get("host"), request.headers.get("x-forwarded-host")):
        raise BadInput("This request came from another site's page.")


async def bounded_body(request: Request, most: int, what: str) -> bytes:
    """The request's body. Raises BadInput past `most` bytes, without having read the rest."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise BadInput(f"{what} may have {most >> 20} MB.")
    return bytes(body)
