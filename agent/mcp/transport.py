"""Streams of messages to and from a server of the setting MCP_SERVERS."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
from mcp import stdio_client
from mcp.client.stdio import StdioServerParameters

from agent.config.mcp_servers import HttpServer, StdioServer
from agent.mcp.http_streams import http_streams
from agent.mcp.incoming import MendedMessages

ProxyFor = Callable[[str], str | None]


def direct(_: str) -> str | None:
    """No proxy for any URL."""
    return None


@asynccontextmanager
async def open_streams(
    settings: StdioServer | HttpServer, proxy_for: ProxyFor, auth: httpx2.Auth | None = None
) -> AsyncGenerator[tuple[Any, Any]]:
    """The streams from and to the server, while they are open; `auth` is for one behind a URL."""
    transport: AbstractAsyncContextManager[Any]
    if isinstance(settings, HttpServer):
        transport = http_streams(settings, proxy_for(settings.url), auth)
    else:
        transport = stdio_client(
            StdioServerParameters(
                command=settings.command,
                args=list(settings.args),
                env={name: value.get_secret_value() for name, value in settings.env.items()},
                cwd=settings.cwd,
                # Programs on Windows and old locales write other encodings into their results.
                encoding_error_handler="replace",
            )
        )
    async with transport as streams:
        yield MendedMessages(streams[0]), streams[1]
