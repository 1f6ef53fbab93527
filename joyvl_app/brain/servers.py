"""MCP servers: more tools for the brain, from a file as other MCP clients use it. What is not marked read-only acts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from joyvl_app.errors import BadInput

_MOST_TOOLS = 40
_MOST_ABOUT = 300  # characters of a description: a server's word is data too


class Servers:
    """Each server is asked for its tools until it has told them; one that is down keeps none of the others from working."""

    def __init__(self, connections: dict[str, Any], seconds: float) -> None:
        self.connections, self._seconds = connections, seconds
        self._tools: dict[str, list[Any]] = {}
        self._asking = asyncio.Lock()

    async def tools(self) -> tuple[list[Any], list[str]]:
        """The LangChain tools of all servers that answer, and a sentence for each that does not."""
        async with self._asking:
            missing = [name for name in self.connections if name not in self._tools]
            told = await asyncio.gather(*(self._ask(name) for name in missing))
        found = [tool for name in self.connections for tool in self._tools.get(name, ())]
        return found[:_MOST_TOOLS], [fault for fault in told if fault]

    async def _ask(self, name: str) -> str:
        try:
            self._tools[name] = await asyncio.wait_for(_tools_of(name, self.connections[name]), self._seconds)
        except ImportError:
            return "MCP servers need: pip install langchain-mcp-adapters"
        except Exception as error:  # a server that does not start, hangs, or speaks something else
            return f"The MCP server {name} does not answer ({type(error).__name__})."
        return ""


async def _tools_of(name: str, connection: Any) -> list[Any]:
    from langchain_mcp_adapters.client import MultiServerMCPClient

    tools = await MultiServerMCPClient({name: connection}, tool_name_prefix=True).get_tools()
    for tool in tools:
        tool.description = (tool.description or tool.name)[:_MOST_ABOUT]
    return list(tools)


def only_reads(tool: Any) -> bool:
    """Whether its server marks a tool as read-only and says nothing else against it."""
    marks = tool.metadata or {}
    return marks.get("readOnlyHint") is True and marks.get("destructiveHint") is not True


def connections(file: Path) -> dict[str, Any]:
    """{"mcpServers": {name: {"command", "args"} or {"url"}}} → the adapters' connections. Raises BadInput."""
    try:
        servers = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]
        return {str(name): _connection(str(name), server) for name, server in servers.items()}
    except OSError as error:
        raise BadInput(f"Cannot read JOYVL_MCP_FILE: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput('JOYVL_MCP_FILE must be JSON such as {"mcpServers": {"files": {"command": "…", "args": []}}}.') from error


def _connection(name: str, server: dict[str, Any]) -> dict[str, Any]:
    if "command" in server:
        return {"transport": "stdio", "args": [], **_chosen(server, ("command", "args", "env", "cwd"))}
    if "url" in server:
        return {"transport": "sse" if server.get("type") == "sse" else "streamable_http", **_chosen(server, ("url", "headers"))}
    raise BadInput(f"The MCP server {name} needs a command or a url.")


def _chosen(server: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: server[key] for key in keys if key in server}
