"""A chat model behind a real OpenAI-compatible server, as the brain's mind, and what it may look at and tell."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from joyvl_app.domain import Frame, Passage

Message = dict[str, Any]
_ORDER = re.compile(r"CALL (\w+) (\{.*?\})", re.S)


class Mind:
    """`plan` answers the question which tools are needed; `think` answers everything else from the messages so far."""

    def __init__(self, plan: str, think: Callable[[list[Message]], Message | str]) -> None:
        self._plan, self._think = plan, think
        self.asked: list[dict[str, Any]] = []
        self.app = FastAPI()
        self.app.add_api_route("/v1/chat/completions", self._complete, methods=["POST"])

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        messages = body["messages"]
        planning = len(messages) == 1 and "Which of these tools are needed" in text_of(messages[0])
        said = self._plan if planning else self._think(messages)
        message = {"role": "assistant", "content": said} if isinstance(said, str) else {"role": "assistant", **said}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if message.get("tool_calls") else "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return JSONResponse(
            {"id": "x", "object": "chat.completion", "created": 0, "model": "mind", "choices": [choice], "usage": usage}
        )

    @property
    def everything(self) -> str:
        """All that the model was ever shown."""
        return json.dumps(self.asked, ensure_ascii=False)


def text_of(message: Message) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def call(name: str, **arguments: Any) -> Message:
    """A reply that calls one tool."""
    return {"content": "", "tool_calls": [_tool_call(0, name, json.dumps(arguments))]}


def obeys(first: Message) -> Callable[[list[Message]], Message | str]:
    """A model without any judgement: it does what the question needs first, then whatever the last thing it read orders
    (CALL tool {arguments}), and repeats in its answer all that it was told to repeat.
    """

    def think(messages: list[Message]) -> Message | str:
        if not any(message["role"] == "tool" for message in messages):
            orders = _ORDER.findall(text_of(messages[-1]))
            return _calls(orders) if orders else first
        last = "\n".join(text_of(message) for message in messages if message["role"] in ("tool", "user"))
        orders = _ORDER.findall(last)
        refused = sum("Refused." in text_of(message) for message in messages)
        return _calls(orders) if orders and refused < 3 else f"Done. {last[-300:]}"

    return think


def _calls(orders: list[tuple[str, str]]) -> Message:
    return {"content": "", "tool_calls": [_tool_call(number, name, raw) for number, (name, raw) in enumerate(orders[-3:])]}


def _tool_call(number: int, name: str, arguments: str) -> dict[str, Any]:
    return {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


@dataclass
class Looks:
    """What a session would let a brain look at."""

    passages: tuple[Passage, ...] = ()
    frames: dict[float, Frame] = field(default_factory=dict)

    async def search(
        self, words: str, since: float | None = None, until: float | None = None, most: int = 20, any_term: bool = True
    ) -> list[Passage]:
        return list(self.passages)

    async def between(
        self, since: float, until: float, most: int = 40, kinds: tuple[str, ...] = (), oldest: bool = False
    ) -> list[Passage]:
        return list(self.passages)

    async def frame_near(self, t: float) -> Frame | None:
        return next(iter(self.frames.values()), None)


@dataclass
class Line:
    """An errand that keeps what was reported, and says yes or no."""

    yes: bool = False
    steps: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def report(self, step: str) -> None:
        self.steps.append(step)

    async def allowed(self, action: str, details: str) -> bool:
        self.asked.append((action, details))
        return self.yes
