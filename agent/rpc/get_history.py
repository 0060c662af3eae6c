"""getHistory: what was said, page by page, as an RPC method."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from agent.history.history import MAX_PAGE
from agent.history.message import Attachment, Message, Page, ThreadKey
from agent.rpc.arguments import caller_of, thread_of
from agent.rpc.history_errors import told_to_caller
from agent.rpc.private_answers import MAX_RESPONSE_BYTES
from agent.wire.envelope import encode, split_text
from tools.context import ToolContext
from tools.tool import Tool, tool

PAGE_BYTES = MAX_RESPONSE_BYTES - 256
"""Of JSON in the messages of a page; the rest is for what the page has around them."""

REACTION_BYTES = 2_000
"""Of identities in the reactions to one message."""

ReadPage = Callable[[ThreadKey, str, str | None, int], Awaitable[Page]]
"""Reads a page: of a thread, on behalf of an identity, before a cursor, of so many messages."""


def get_history_tool(room: str, read: ReadPage) -> Tool:
    """The method for one room."""

    @tool
    async def get_history(
        context: ToolContext,
        thread: Annotated[str, Field(description="room, or private: and your identity")] = "room",
        before: Annotated[
            str | None, Field(description="nextBefore of the page that follows", max_length=256)
        ] = None,
        limit: Annotated[int, Field(description="messages at most", ge=1, le=MAX_PAGE)] = 50,
    ) -> dict[str, object]:
        """What was said in the room, or privately with the agent: the newest, oldest first."""
        caller = caller_of(context)
        key = thread_of("getHistory", room, thread, caller)
        with told_to_caller("before"):
            return fit(await read(key, caller.identity, before, limit))

    return get_history


def fit(page: Page) -> dict[str, object]:
    """A page on the wire: as many of its newest messages as fit, but one at least.

    A message that is too long for a page of its own is cut, and says so.
    """
    shown: deque[dict[str, object]] = deque()
    size = 0
    next_before = page.next_before
    following: Message | None = None
    for message in reversed(page.messages):
        shape = as_shape(message)
        width = len(encode(shape)) + 1
        if size + width > PAGE_BYTES:
            if following is not None:
                next_before = following.cursor
                break
            shape, width = _cut(message), PAGE_BYTES
        shown.appendleft(shape)
        size += width
        following = message
    whole: dict[str, object] = {"messages": list(shown)}
    return whole if next_before is None else whole | {"nextBefore": next_before}


def as_shape(message: Message) -> dict[str, object]:
    """A message on the wire; fields that do not apply are left out."""
    fields: dict[str, object] = {
        "id": message.id,
        "thread": message.thread.id,
        "role": message.role,
        "senderId": message.sender_id,
        "senderName": message.sender_name,
        "text": message.text,
        "timestamp": message.timestamp,
        "editedAt": message.edited_at,
        "inReplyTo": message.in_reply_to,
        "finishReason": message.finish_reason,
        "reactions": _reactions(message) or None,
        "attachments": [attachment_shape(each) for each in message.attachments] or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def attachment_shape(attachment: Attachment) -> dict[str, object]:
    """A file on the wire, without what is in it."""
    return {
        "id": attachment.id,
        "name": attachment.name,
        "type": attachment.type,
        "size": attachment.size,
        "sha256": attachment.sha256,
    }


def _reactions(message: Message) -> list[dict[str, object]]:
    """Each with its count, and as many identities as there is room for."""
    left = REACTION_BYTES
    shapes: list[dict[str, object]] = []
    for reaction in message.reactions:
        shown: list[str] = []
        for identity in reaction.identities:
            left -= len(identity.encode()) + len('"",')
            if left < 0:
                break
            shown.append(identity)
        shapes.append(
            {"emoji": reaction.emoji, "count": len(reaction.identities), "identities": shown}
        )
    return shapes


def _cut(message: Message) -> dict[str, object]:
    """The beginning of a message that is too long for a page of its own."""
    about = {"truncated": True, "textLength": len(message.text.encode())}
    rest = len(encode(as_shape(replace(message, text="")) | about)) + 1
    return as_shape(message) | about | {"text": split_text(message.text, PAGE_BYTES - rest)[0]}
