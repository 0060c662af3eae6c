"""Tools from outside the app: MCP servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.app.app import App
from agent.app.app_error import AppError
from agent.config.mcp_servers import HttpServer
from agent.config.proxies import Proxies
from agent.config.settings import Settings

if TYPE_CHECKING:
    from agent.mcp.servers import McpServers


def mcp_servers(
    settings: Settings, app: App, proxies: Proxies, on_change: Callable[[], None]
) -> McpServers | None:
    """The MCP servers of the settings, if there are any.

    Raises:
        AppError: the app makes headers for an unknown server, or for one without a URL.
    """
    for name in app.mcp_headers:
        if not isinstance(settings.mcp_servers.get(name), HttpServer):
            raise AppError(f"App: mcp_headers names {name!r}, which has no URL in MCP_SERVERS")
    if not settings.mcp_servers:
        return None
    # Only then: it costs half a second and 21 MB.
    from agent.mcp.servers import McpServers  # noqa: PLC0415

    return McpServers(
        settings.mcp_servers,
        proxy_for=proxies.for_url,
        on_change=on_change,
        headers=app.mcp_headers,
    )
