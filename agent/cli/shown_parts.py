"""Parts of an answer as lines in a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

MAX_VALUE: Final = 300
"""Characters of a value."""


def line_of(part: Mapping[str, Any]) -> str | None:
    """A part in one line; None for one that is not shown here, such as reasoning."""
    match part.get("type"):
        case "tool-call":
            arguments = _short(part["arguments"]) if part.get("arguments") else ""
            reason = f": {part['error']}" if part.get("error") else ""
            words = (part.get("name"), arguments, part.get("state"))
            line = f"[{' '.join(str(word) for word in words if word)}{reason}]"
        case "source":
            line = f"[source] {part.get('title')}: {part.get('url')}"
        case "data":
            line = f"[{part.get('name')}] {_short(part.get('value'))}"
        case "suggestion":
            line = f"[you might say] {part.get('text')}"
        case "handoff":
            line = f"[{part.get('from')} hands over to {part.get('to')}]"
        case "file":
            line = f"[file] {part.get('name')} ({part.get('size')} bytes)"
        case _:
            return None
    return line


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"
