"""A real MCP server over stdio: one tool that reads, one that acts, one that does not say."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp.server.fastmcp import FastMCP
from mcp.types import ToolAnnotations

server = FastMCP("desk")
SENT = Path(sys.argv[1])


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def opening_hours(shop: str) -> str:
    """When a shop is open."""
    return f"{shop} is open from 9 to 17."


@server.tool(annotations=ToolAnnotations(readOnlyHint=False))
def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    with SENT.open("a", encoding="utf-8") as file:
        file.write(f"{to}: {text}\n")
    return "sent"


@server.tool()
def unmarked(note: str) -> str:
    """Do something that nobody described."""
    with SENT.open("a", encoding="utf-8") as file:
        file.write(f"unmarked {note}\n")
    return "done"


if __name__ == "__main__":
    server.run()
