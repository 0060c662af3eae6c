"""A connection that the tests keep, with its tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from agent.config.mcp_servers import HttpServer, StdioServer
from agent.mcp.connection import McpConnection
from agent.mcp.transport import ProxyFor, direct
from toolkit.settings import ToolSettings
from toolkit.toolbox import Toolbox

WITHIN = 30.0


class Kept:
    """A connection with its tools, and what changes about it."""

    def __init__(self, settings: StdioServer | HttpServer, proxy_for: ProxyFor) -> None:
        self._changed = asyncio.Event()
        self.connection = McpConnection(
            "calc", settings, on_change=self._changed.set, proxy_for=proxy_for
        )
        self.toolbox = Toolbox([], ToolSettings(), more=lambda: self.connection.tools)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def call(self, tool: str, **arguments: object) -> str:
        return await self.toolbox.call(f"calc_{tool}", arguments)

    async def comes_back(self) -> None:
        """Returns when the server has been given up, and answers again."""
        await self.until(lambda: not self.connection.is_up)
        await self.until(lambda: self.connection.is_up)


@asynccontextmanager
async def kept(
    settings: StdioServer | HttpServer, proxy_for: ProxyFor = direct
) -> AsyncGenerator[Kept]:
    keeping = Kept(settings, proxy_for)
    keeping.connection.start()
    try:
        yield keeping
    finally:
        await keeping.connection.aclose()
        await keeping.toolbox.aclose()
