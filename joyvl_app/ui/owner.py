"""Who owns what: one random HttpOnly cookie a browser. It identifies nobody; it only keeps pages apart."""

from __future__ import annotations

import re
import secrets

from fastapi import Request, Response

_COOKIE = "joyvl_owner"
_SHAPE = re.compile(r"[\w-]{32,64}")
_YEAR = 365 * 86_400


def owner_of(request: Request) -> str:
    """The browser's owner id; "" before it has one."""
    value = request.cookies.get(_COOKIE, "")
    return value if _SHAPE.fullmatch(value) else ""


def give_owner(request: Request, response: Response) -> str:
    """The browser's owner id, made and set now if it has none."""
    if owner := owner_of(request):
        return owner
    owner = secrets.token_urlsafe(32)
    # Inside the frame of a Space the page is a third party: its cookie must be partitioned, and needs https.
    scope = "SameSite=None; Secure; Partitioned" if is_https(request) else "SameSite=Lax"
    response.headers.append("set-cookie", f"{_COOKIE}={owner}; Path=/; Max-Age={_YEAR}; HttpOnly; {scope}")
    return owner


def is_https(request: Request) -> bool:
    """Whether the browser came over https, perhaps through a proxy."""
    return request.headers.get("x-forwarded-proto", request.url.scheme).split(",")[0].strip() == "https"
