"""Real HTTP servers on free ports, for clients that must survive what servers do."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(app: Any, port: int | None = None) -> Iterator[str]:
    """`app` served by uvicorn on its own thread: its address."""
    port = port or free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join(timeout=5)


class Model:
    """A chat completions server that answers as told and keeps what it was asked. `behave` may answer in its place."""

    def __init__(self, *words: str, behave: Callable[[dict[str, Any]], Response | None] = lambda body: None) -> None:
        self.words, self.behave = list(words), behave
        self.asked: list[dict[str, Any]] = []
        self.app = FastAPI()
        self.app.add_api_route("/v1/models", self._models)
        self.app.add_api_route("/v1/chat/completions", self._complete, methods=["POST"])

    async def _models(self) -> dict[str, Any]:
        return {"object": "list", "data": [{"id": "tiny", "object": "model", "created": 0, "owned_by": "test"}]}

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if special := self.behave(body):
            return special
        words = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        return StreamingResponse(chunks(words), media_type="text/event-stream")

    def texts(self, number: int = -1) -> list[str]:
        """All texts of one request, in order."""
        contents = [message["content"] for message in self.asked[number]["messages"]]
        return [text if isinstance(text, str) else text[0]["text"] for text in contents]

    def pictures(self, number: int = -1) -> int:
        contents = [message["content"] for message in self.asked[number]["messages"]]
        return sum(part["type"] == "image_url" for content in contents if isinstance(content, list) for part in content)


async def chunks(words: str, top: Sequence[tuple[str, float]] = ()) -> AsyncIterator[str]:
    """A completion as server-sent events; `top` are the first token's alternatives with their log probabilities."""
    for number, piece in enumerate(words.split(" ") if words else [""]):
        choice: dict[str, Any] = {"index": 0, "delta": {"content": piece if number == 0 else f" {piece}"}, "finish_reason": None}
        if number == 0 and top:
            alternatives = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in top]
            choice["logprobs"] = {"content": [{**alternatives[0], "top_logprobs": alternatives}]}
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "tiny", "choices": [choice]}
        yield f"data: {json.dumps(chunk)}\n\n"
    yield "data: [DONE]\n\n"


def refusal(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error", "code": status}}, status)
