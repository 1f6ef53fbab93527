"""A bound on what a request may send, before anything of it is parsed."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BoundedBodies:
    """ASGI middleware: requests under `prefix` may have `most` bytes; a larger one is refused without being read whole."""

    def __init__(self, app: ASGIApp, prefix: str, most: int) -> None:
        self._app, self._prefix, self._most = app, prefix, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._most:
                told = {"error": f"A request here may have {self._most >> 10} KB."}
                await JSONResponse(told, 413)(scope, receive, send)
                return
            if message["type"] == "http.disconnect":
                return  # half a body is none
            if not message.get("more_body"):
                break
        await self._app(scope, _Whole(bytes(body), receive).receive, send)


class _Whole:
    """Gives the body that has been read, then what comes after it."""

    def __init__(self, body: bytes, rest: Receive) -> None:
        self._body: bytes | None = body
        self._rest = rest

    async def receive(self) -> Message:
        if self._body is None:
            return await self._rest()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
