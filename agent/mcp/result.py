"""What an MCP server answers, as text."""

from __future__ import annotations

import json

from livekit.agents.llm.mcp import MCPToolResultContext

from tools.errors import TooLarge

MAX_BYTES = 65_536
"""Of UTF-8 in a result."""


def text_of(context: MCPToolResultContext) -> str:
    """The texts of a result, and of its other parts what they are; raises TooLarge."""
    parts: list[str] = []
    for part in context.result.content:
        if part.type == "text":
            parts.append(part.text)
        elif part.type == "resource" and (text := getattr(part.resource, "text", None)):
            parts.append(str(text))
        else:
            parts.append(f"[{part.type}, not shown]")
    if not parts and context.result.structured_content is not None:
        parts.append(json.dumps(context.result.structured_content, ensure_ascii=False))
    text = "\n".join(parts)
    if len(text.encode()) > MAX_BYTES:
        raise TooLarge(f"The result of {context.tool_name} has more than {MAX_BYTES} bytes")
    return text
