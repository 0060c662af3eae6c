"""Short progress texts for a terminal, from the agent's notices about something that takes time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def progress_of(notice: Mapping[str, Any]) -> str | None:
    """None: the notice is of something else."""
    match notice.get("event"):
        case "file.progress":
            size, received = notice.get("size"), notice.get("received", 0)
            how_much = f"{received / size:.0%}" if size else f"{received} bytes"
            return f"sending {notice.get('name')}: {how_much}"
        case "tool.progress":
            fraction = notice.get("progress")
            how_much = "" if fraction is None else f"{fraction:.0%}"
            words = [word for word in (str(notice.get("content") or ""), how_much) if word]
            tool = str(notice.get("tool"))
            return f"{tool}: {', '.join(words)}" if words else tool
        case _:
            return None
