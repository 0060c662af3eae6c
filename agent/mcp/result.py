"""Turns the result of an MCP call into text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from toolkit.errors import TooLarge, ToolError

MAX_BYTES = 65_536
"""Of UTF-8 in a result."""

MAX_ERROR = 1_000
MAX_TYPE = 64


def text_of(result: Mapping[str, object], tool: str) -> str:
    """The texts of a result, and descriptions of its other parts.

    Raises:
        ToolError: the server says that the call failed; with the server's words.
        TooLarge: the result is too long.
    """
    parts = [_part(part) for part in _content(result)]
    if not any(parts):
        parts = (
            [
                json.dumps(result[name], ensure_ascii=False)
                for name in (
                    "structuredContent",
                    "toolResult",
                )  # The second key is that of the first MCP drafts.
                if result.get(name) is not None
            ][:1]
            or parts
        )
    text = "\n".join(parts)
    if result.get("isError") is True:
        raise ToolError(text[:MAX_ERROR] or f"{tool} failed")
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise TooLarge(f"The result of {tool} has more than {MAX_BYTES} bytes")
    return text


def _content(result: Mapping[str, object]) -> list[object]:
    """The parts of a result; some servers send one part where a list belongs."""
    content = result.get("content")
    if content is None:
        return []
    return cast("list[object]", content) if isinstance(content, list) else [content]


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return json.dumps(part, ensure_ascii=False)
    fields = cast("Mapping[str, object]", part)
    kind = fields.get("type")
    if kind == "resource_link":
        return _link(fields)
    if kind == "resource" and isinstance(fields.get("resource"), Mapping):
        return _resource(cast("Mapping[str, object]", fields["resource"]))
    text = fields.get("text")
    if isinstance(text, str) or (kind == "text" and text is not None):
        return text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    return f"[{kind:.{MAX_TYPE}}, not shown]" if isinstance(kind, str) else "[unknown, not shown]"


def _link(link: Mapping[str, object]) -> str:
    """A resource's name, URI and description."""
    said = [link.get("name") or link.get("title"), link.get("uri"), link.get("description")]
    return ": ".join(each for each in said if isinstance(each, str) and each)


def _resource(resource: Mapping[str, object]) -> str:
    text = resource.get("text")
    if isinstance(text, str):
        return text
    uri = resource.get("uri")
    return f"[resource {uri}, not shown]" if isinstance(uri, str) else "[resource, not shown]"
