"""Edited messages whose text does not fit into the notice of the edit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agent.client.message import Message
from agent.client.message_list import MessageList

Call = Callable[[str, Mapping[str, object]], Awaitable[Any]]


async def read_edited(notice: Mapping[str, Any], messages: MessageList, call: Call) -> None:
    """Reads the messages that a notice names from the history. Raises AgentError."""
    for each in notice["messageIds"]:
        message = messages.find(str(each), notice.get("authorId"))
        if message is not None:
            message.text = await _whole_text(message, call)
            messages.changed(message)


async def _whole_text(message: Message, call: Call) -> str:
    asked = {"messageId": message.id, "senderId": message.sender_id, "thread": message.thread}
    text = ""
    offset: int | None = 0
    while offset is not None:
        page = await call("getMessage", {**asked, "offset": offset})
        text += page["text"]
        offset = page.get("nextOffset")
    return text
