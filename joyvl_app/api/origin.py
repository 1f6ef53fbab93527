"""Whose page a request comes from."""

from __future__ import annotations

from fastapi import Request

from joyvl_app.errors import BadInput


def refuse_foreign_pages(request: Request) -> None:
    """Another site's page must not act in this visitor's name. Raises BadInput."""
    origin = request.headers.get("origin")
    if origin and origin.split("://", 1)[-1] not in (request.headers.get("host"), request.headers.get("x-forwarded-host")):
        raise BadInput("This request came from another site's page.")
