"""Tools from outside the app: MCP servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.config.proxies import Proxies
from agent.config.settings import Settings

if TYPE_CHECKING:
    from agent.mcp.servers import McpServers


def mcp_servers(
    settings: Settings, proxies: Proxies, on_change: Callable[[], None]
) -> McpServers | None:
    """The MCP servers of the settings, if there are any."""
    if not settings.mcp_servers:
        return None
    # Only then: it costs half a second and 21 MB.
    from agent.mcp.servers import McpServers  # noqa: PLC0415

    return McpServers(settings.mcp_servers, proxy_for=proxies.for_url, on_change=on_change)
