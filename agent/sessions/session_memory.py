"""SessionMemory: items of a session that its conversation does not have yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from livekit.agents import llm

MAX_ITEMS: Final = 512
"""Items of a session's own history that are kept: its agents have their own, and the conversation
is in the store."""


class SessionMemory:
    """Goes through a session's history."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def know(self, items: Iterable[llm.ChatItem]) -> None:
        """Notes that the conversation has these items."""
        self._known.update(item.id for item in items)

    def new_in(self, history: llm.ChatContext) -> list[llm.ChatItem]:
        """The items since `keep`, as the model reads them later: messages, and calls with their
        results. Running calls are left out."""
        calls = {item.call_id: item for item in history.items if isinstance(item, llm.FunctionCall)}
        new: list[llm.ChatItem] = []
        for item in history.items:
            if item.id in self._known:
                continue
            if isinstance(item, llm.ChatMessage) and item.role in {"assistant", "user"}:
                new.append(item)
            elif isinstance(item, llm.FunctionCallOutput) and item.call_id in calls:
                new += [calls[item.call_id], item]
        return new

    def keep(self, history: llm.ChatContext) -> None:
        """Notes that the conversation has everything so far; a running call is new once it has
        ended."""
        del history.items[:-MAX_ITEMS]
        self._known = {item.id for item in history.items}
