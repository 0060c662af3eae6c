"""McpServers: all MCP servers of a worker process, shared by its rooms."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from agent.app.header_makers import HeaderMaker
from agent.config.mcp_servers import HttpServer, StdioServer
from agent.mcp.connection import McpConnection
from agent.mcp.transport import direct
from toolkit.tool import Tool

logger = logging.getLogger(__name__)


class McpServers:
    """One connection to each server, from `start` to `aclose`.

    Args:
        on_change: called when the tools change, or whether they can be called.
        proxy_for: the proxy that a URL is reached through, if any.
        headers: the app's functions that make headers, by the servers' names.
    """

    def __init__(
        self,
        servers: Mapping[str, StdioServer | HttpServer],
        *,
        on_change: Callable[[], None],
        proxy_for: Callable[[str], str | None] = direct,
        headers: Mapping[str, HeaderMaker] | None = None,
    ) -> None:
        # Their logs contain URLs, session ids and texts of servers; ours say what happens.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        # mcp.client by itself, since livekit-agents sets a level of its own (cli/log.py).
        for name in ("mcp", "mcp.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.connections = [
            McpConnection(
                name,
                settings,
                on_change=on_change,
                proxy_for=proxy_for,
                headers=(headers or {}).get(name),
            )
            for name, settings in servers.items()
        ]

    def start(self) -> None:
        """Begins to connect to all of them."""
        for connection in self.connections:
            connection.start()

    async def tried(self, patience: float) -> None:
        """Returns when each has been tried once, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await asyncio.gather(*(connection.tried() for connection in self.connections))

    def tools(self) -> list[Tool]:
        """The tools of all servers, in the setting's order; of two with one name, the first."""
        tools: dict[str, Tool] = {}
        for connection in self.connections:
            for tool in connection.tools:
                tools.setdefault(tool.name, tool)
        return list(tools.values())

    async def aclose(self) -> None:
        """Ends all connections."""
        await asyncio.gather(*(connection.aclose() for connection in self.connections))
