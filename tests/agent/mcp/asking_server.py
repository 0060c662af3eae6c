"""An MCP server that asks its caller and their model; started by the tests as a program.

`python asking_server.py` speaks over standard input and output, `python asking_server.py PORT` by
streamable HTTP on loopback.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any, TypeAlias

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import SamplingMessage, TextContent, ToolListChangedNotification
from pydantic import BaseModel, Field

AnyContext: TypeAlias = Context[Any, Any]

server = MCPServer("asking", log_level="CRITICAL")
warnings.simplefilter("ignore")  # Sampling is deprecated in a later protocol.


class Guests(BaseModel):
    """The form."""

    guests: int = Field(ge=1, le=9)


@server.tool()
async def book(ctx: AnyContext) -> str:
    """Book a table."""
    answer = await ctx.elicit("For how many?", Guests)
    if answer.action == "accept":
        return f"booked for {answer.data.guests}"
    return f"not booked: {answer.action}"


@server.tool()
async def sign_in(ctx: AnyContext) -> str:
    """Sign in."""
    answer = await ctx.elicit_url("Sign in there.", "https://example.com/sign-in", "e-1")
    return answer.action


@server.tool()
async def translate(text: str, ctx: AnyContext) -> str:
    """Translate a text."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    answer = await ctx.session.create_message(  # pyright: ignore[reportDeprecated]
        [message], max_tokens=100, system_prompt="Translate into German."
    )
    assert isinstance(answer.content, TextContent)
    return f"{answer.model}, {answer.stop_reason}: {answer.content.text}"


@server.tool()
async def headers(ctx: AnyContext) -> str:
    """Tell the caller's headers."""
    given = ctx.headers or {}
    return " ".join(given.get(name, "-") for name in ("x-user", "x-tenant", "authorization"))


@server.tool()
async def grow(ctx: AnyContext) -> str:
    """Have another tool from now on."""

    @server.tool()
    def grown() -> str:
        """Tell that it is there."""
        return "here"

    # With the answer: the stream of a session that has just begun may not be open yet.
    changed = ToolListChangedNotification()
    await ctx.session.send_notification(changed, related_request_id=ctx.request_id)
    return grown.__name__


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
