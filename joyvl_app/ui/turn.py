"""Relays for browsers behind a firewall: what the page and the server are told to connect through."""

from __future__ import annotations

import asyncio
from typing import Any

from joyvl_app.errors import BadInput, ProviderFailed
from joyvl_app.settings import Settings

_SERVER_TTL = 360_000  # seconds; the server keeps one set of credentials


def server_configuration(settings: Settings) -> dict[str, Any]:
    """The server's side, asked for once at the start. Raises BadInput on an incomplete setting."""
    if settings.turn == "cloudflare":
        from fastrtc import get_cloudflare_turn_credentials

        return dict(get_cloudflare_turn_credentials(ttl=_SERVER_TTL))
    if settings.turn == "huggingface":
        from fastrtc import get_hf_turn_credentials

        return dict(get_hf_turn_credentials())
    return _static(settings)


async def page_configuration(settings: Settings) -> dict[str, Any]:
    """The page's side, fresh for each connection. Raises ProviderFailed when the relay's provider does not answer."""
    if settings.turn in ("none", "static"):
        return _static(settings)
    try:
        return await asyncio.wait_for(_credentials(settings), 10)
    except Exception as error:  # the provider's client raises many kinds
        raise ProviderFailed("The relay for live video does not answer; pictures are sent instead.") from error


async def _credentials(settings: Settings) -> dict[str, Any]:
    if settings.turn == "cloudflare":
        from fastrtc import get_cloudflare_turn_credentials_async

        return dict(await get_cloudflare_turn_credentials_async())
    from fastrtc import get_hf_turn_credentials_async

    return dict(await get_hf_turn_credentials_async())


def _static(settings: Settings) -> dict[str, Any]:
    if settings.turn == "none":
        return {"iceServers": []}
    if not settings.turn_url:
        raise BadInput("JOYVL_TURN=static needs JOYVL_TURN_URL, such as turn:relay.example.org:3478.")
    server = {
        "urls": settings.turn_url,
        "username": settings.turn_user,
        "credential": settings.turn_password.get_secret_value(),
    }
    return {"iceServers": [server]}
