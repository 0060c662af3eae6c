"""How a server of the setting is reached: livekit-agents' MCPServer for it."""

from __future__ import annotations

from livekit.agents.llm.mcp import (
    MCPServer,
    MCPServerStdio,
    MCPToolResultResolver,
)

from agent.mcp.bounded_http import BoundedHttpServer
from agent.mcp.server_settings import HttpServer, StdioServer

CONNECT_TIMEOUT = 30.0
"""Seconds until a server has answered for the first time; a program may have to be fetched."""

SESSION_MARGIN = 5.0
"""Seconds by which a session waits longer than a tool or connecting may take: these say it best."""


def open_server(settings: StdioServer | HttpServer, resolve: MCPToolResultResolver) -> MCPServer:
    """The server, not connected yet; `resolve` makes of results what its tools return."""
    patience = max(settings.timeout, CONNECT_TIMEOUT) + SESSION_MARGIN
    if isinstance(settings, StdioServer):
        return MCPServerStdio(
            settings.command,
            list(settings.args),
            {name: value.get_secret_value() for name, value in settings.env.items()},
            settings.cwd,
            client_session_timeout_seconds=patience,
            tool_result_resolver=resolve,
        )
    return BoundedHttpServer(
        settings.url,
        by_events=settings.type == "sse",
        headers={name: value.get_secret_value() for name, value in settings.headers.items()},
        patience=patience,
        resolve=resolve,
    )
