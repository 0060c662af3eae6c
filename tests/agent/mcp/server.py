"""An MCP server that goes wrong on request; started by the tests as a program.

`python server.py` speaks over standard input and output, `python server.py PORT` by streamable HTTP
on loopback, `python server.py PORT sse` by server-sent events.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading

from mcp.server.mcpserver import MCPServer

server = MCPServer("calculator", log_level="CRITICAL")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def process_id() -> int:
    """Tell the process's id."""
    return os.getpid()


@server.tool()
def environment(name: str) -> str:
    """Tell an environment variable."""
    return os.environ.get(name, "not set")


@server.tool()
def repeat(text: str, times: int) -> str:
    """Say something several times."""
    return text * times


@server.tool()
async def hang() -> str:
    """Never answer; other calls are answered."""
    await asyncio.Event().wait()
    return ""


@server.tool()
async def freeze() -> str:
    """Answer nobody any more."""
    threading.Event().wait()
    return ""


@server.tool()
def die() -> str:
    """End at once."""
    os._exit(3)


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("secret cause")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("sse" if sys.argv[2:] == ["sse"] else "streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
