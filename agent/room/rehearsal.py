"""Warms up a process, so that its first room is as fast as the others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from livekit.agents import llm

from agent.history.errors import HistoryError
from agent.history.message import ThreadKey

if TYPE_CHECKING:
    from agent.history.history import History
    from toolkit.toolbox import Toolbox


async def rehearse(toolbox: Toolbox, history: History, conversation: str, agent: str) -> None:
    """Builds the descriptions of the tools, and compiles the history's statements."""
    # Pydantic completes the class on first use.
    llm.ChatMessage(role="user", content=[""])
    for tool in toolbox:
        tool.json_schema()
    with contextlib.suppress(HistoryError):
        await history.unanswered(conversation)
        await history.untold(conversation)
        await history.threads(conversation, asker=agent)
        await history.page(ThreadKey(conversation), asker=agent, limit=1)
