"""MCP servers: more tools for the brain, from a file as other MCP clients use it. What is not marked read-only acts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from joyvl_app.errors import BadInput, MissingPart, ProviderFailed

_MOST_TOOLS = 40
_MOST_ABOUT = 300  # characters of a description: a server's word is data too


async def server_tools(file: Path) -> list[Any]:
    """The LangChain tools of all servers in the file. Raises BadInput, MissingPart, or ProviderFailed naming the server."""
    try:
        from langchain_mcp_adapters.client import MultiServerMCPClient
    except ImportError as error:
        raise MissingPart("MCP servers need: pip install langchain-mcp-adapters") from error
    found: list[Any] = []
    for name, connection in connections(file).items():
        client = MultiServerMCPClient({name: connection}, tool_name_prefix=True)
        try:
            tools = await client.get_tools()
        except Exception as error:  # a server that does not start, or speaks something else
            raise ProviderFailed(f"The MCP server {name} does not answer ({type(error).__name__}).") from error
        for tool in tools:
            tool.description = (tool.description or tool.name)[:_MOST_ABOUT]
        found += tools
    return found[:_MOST_TOOLS]


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
