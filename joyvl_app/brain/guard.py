"""Between the model and its tools: LangChain middleware that keeps the rules of trust.py and every bound of a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from joyvl_app.brain.servers import only_reads
from joyvl_app.brain.toolbox import Tool, Toolbox
from joyvl_app.brain.trust import Trust, as_data, visible
from joyvl_app.memory.chat import refuses_pictures
from joyvl_app.ports import Errand
from joyvl_app.settings import Settings

Timed = Callable[[Awaitable[Any]], Awaitable[Any]]  # the clock's: waiting for a model takes time on it

_CALLS_A_STEP = 4
_PICTURES = 2  # shown to the model with one request


class StepLimit(Exception):
    """The model was asked as often as it may be; the text is for people."""


class Guard:
    """One run's. `sees` turns false when the model refuses pictures."""

    def __init__(self, box: Toolbox, trust: Trust, errand: Errand, settings: Settings, more: list[Any], sees: bool, timed: Timed):
        self._box, self._trust, self._errand, self._settings, self._timed = box, trust, errand, settings, timed
        self._own = {tool.name: tool for tool in box.all()}
        self._more = {tool.name: tool for tool in more if tool.name not in self._own}
        self.sees = sees
        self._steps = self._calls = 0

    @property
    def offered(self) -> list[tuple[str, str]]:
        """Names and descriptions of all tools that a plan may choose from."""
        own = [(tool.name, tool.about) for tool in self._own.values()]
        return own + [(tool.name, "a server's tool") for tool in self._more.values()]  # what the server says of it is data

    def tools(self) -> list[Any]:
        """The planned ones, as LangChain tools."""
        own = [_langchain(tool) for name, tool in self._own.items() if name in self._trust.planned]
        return own + [tool for name, tool in self._more.items() if name in self._trust.planned]

    def middleware(self) -> Any:
        from langchain.agents.middleware import AgentMiddleware

        guard = self

        class _Guarded(AgentMiddleware):
            async def awrap_model_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
                return await guard.ask_model(request, handler)

            async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
                return await guard.call_tool(request, handler)

        return _Guarded()

    # --- the model -----------------------------------------------------------------------------------------------

    async def ask_model(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Count the step; show the pictures that were looked at, to a model that can see. Raises StepLimit."""
        self._steps += 1
        if self._steps > self._settings.brain_steps:
            raise StepLimit("I gave up: it took too many steps.")
        self._errand.report("thinking" if self._steps == 1 else f"thinking (step {self._steps})")
        pictures = self._box.pictures[-_PICTURES:]
        if not pictures or not self.sees:
            return await self._timed(handler(request))
        try:
            return await self._timed(handler(request.override(messages=[*request.messages, _shown(pictures)])))
        except Exception as error:
            if not refuses_pictures(error):
                raise
            self.sees = False
            return await self._timed(handler(request))

    # --- its tools -------------------------------------------------------------------------------------------------

    async def call_tool(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Refuse what was not asked for; else run it within its bounds and mark its result as data."""
        name, arguments = str(request.tool_call["name"]), dict(request.tool_call.get("args") or {})
        if objection := await self._objection(name, arguments):
            self._errand.report(f"refused {name}: {objection}")
            return _message(request, f"Refused. {objection} Answer the question with what you have.", "error")
        self._errand.report(_step(name, arguments))
        try:
            working = handler(request) if name in self._own else self._timed(handler(request))  # our own time themselves
            result = await asyncio.wait_for(working, self._settings.brain_tool_seconds)
            text, status = _text(result), "success"
        except TimeoutError:
            text, status = "The tool took too long and was given up.", "error"
        except Exception as error:
            text, status = f"The tool failed ({type(error).__name__}).", "error"
        self._trust.read()
        source = self._own[name].source if name in self._own else name
        return _message(request, as_data(source, text, self._settings.brain_tool_chars), status)

    async def _objection(self, name: str, arguments: dict[str, Any]) -> str:
        self._calls += 1
        if self._calls > _CALLS_A_STEP * self._settings.brain_steps:
            raise StepLimit("I gave up: it called its tools too often.")
        if unplanned := self._trust.unplanned(name):
            return unplanned
        if own := self._own.get(name):
            return self._trust.objection(arguments, own.moment, own.typed)
        acts = not only_reads(self._more[name])
        if objection := self._trust.objection_to_foreign(arguments, self._more[name].args, acts):
            return objection
        if not acts:
            return ""
        details = visible(json.dumps(arguments, ensure_ascii=False, indent=2, default=str))
        return "" if await self._errand.allowed(name, details) else "The user did not allow it."


def _langchain(tool: Tool) -> Any:
    from langchain_core.tools import StructuredTool

    async def run(**arguments: Any) -> str:
        return await tool.run(tool.schema.model_validate(arguments))

    return StructuredTool.from_function(coroutine=run, name=tool.name, description=tool.about, args_schema=tool.schema)


def _message(request: Any, text: str, status: str) -> Any:
    from langchain_core.messages import ToolMessage

    call = request.tool_call
    return ToolMessage(text, tool_call_id=call["id"], name=call["name"], status=status)


def _shown(pictures: list[str]) -> Any:
    from langchain_core.messages import HumanMessage

    note = '<data source="picture">The pictures that were looked at, newest last.</data>'
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
    return HumanMessage([{"type": "text", "text": note}, *shown])


def _text(result: Any) -> str:
    content = getattr(result, "content", result)
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(block if isinstance(block, str) else str(block.get("text", "(no text)")) for block in content)
    return str(content)


def _step(name: str, arguments: dict[str, Any]) -> str:
    told = ", ".join(f"{value}" for value in arguments.values() if value not in (None, ""))
    return f"{name.replace('_', ' ')}: {told}"[:200]
