"""Gradio's page asks a public server for a script that only a Space's frame needs; elsewhere the page asks nobody."""

from __future__ import annotations

import re

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FOREIGN_SCRIPT = re.compile(rb"<script[^>]*\ssrc=\"https://[^>]*></script>", re.S)


# Gradio would store any file that anybody sends here; a clip never leaves the page but as a stream.
_UNUSED = ("/upload", "/upload_progress")


class KeepToYourself:
    """ASGI middleware: takes scripts of other servers out of the page at the root (a Space's frame needs them), and
    closes Gradio's upload, which this page does not use."""

    def __init__(self, app: ASGIApp, on_space: bool = False) -> None:
        self._app, self._on_space = app, on_space

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].rstrip("/").endswith(_UNUSED):
            await PlainTextResponse("Nothing is uploaded to this server.", 404)(scope, receive, send)
            return
        if scope["type"] != "http" or scope["path"] != "/" or self._on_space:
            await self._app(scope, receive, send)
            return
        # Compressed bytes cannot be searched; the page is small.
        headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self._app({**scope, "headers": headers}, receive, _Rewriter(send).send)


class _Rewriter:
    """Holds the answer back until it is whole, then sends it without the foreign scripts."""

    def __init__(self, send: Send) -> None:
        self._send, self._body = send, bytearray()
        self._start: Message = {}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = _FOREIGN_SCRIPT.sub(b"", bytes(self._body))
        kept = [(name, value) for name, value in self._start["headers"] if name.lower() != b"content-length"]
        await self._send({**self._start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
        await self._send({"type": "http.response.body", "body": body})
