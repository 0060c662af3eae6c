"""getMessage: one message, in parts if it is too long for a page of the history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import Field

from agent.contract.messages import PartsPage, StoredMessage
from agent.history.message import MAX_ID_LENGTH, Message
from agent.rpc.arguments import MessageId, ThreadId, caller_of, read_thread
from agent.rpc.history_errors import told_to_caller
from agent.rpc.message_shape import as_part, parts_from
from toolkit.context import ToolContext
from toolkit.errors import InvalidArguments, NotFound
from toolkit.tool import Tool, tool

FindMessages = Callable[[str, str], Awaitable[tuple[Message, ...]]]
"""Finds the messages of an id that an identity may see, the oldest first."""

SenderId = Annotated[
    str | None,
    Field(
        description="identity of its author, if several messages have this id",
        max_length=MAX_ID_LENGTH,
    ),
]


def get_message_tool(room: str, find: FindMessages) -> Tool:
    """The method for one room."""

    @tool
    async def get_message(
        context: ToolContext,
        message_id: MessageId,
        thread: ThreadId = "room",
        sender_id: SenderId = None,
        offset: Annotated[int, Field(description="nextOffset of the previous part", ge=0)] = 0,
        from_part: Annotated[
            int | None, Field(description="only the parts, from this one on", ge=0)
        ] = None,
    ) -> StoredMessage | PartsPage:
        """One message of the history; of a long one a part, from an offset on. Or its parts."""
        key = read_thread("getMessage", room, thread, context)
        with told_to_caller("messageId"):
            found = [
                each
                for each in await find(message_id, caller_of(context).identity)
                if each.thread == key and sender_id in {None, each.sender_id}
            ]
        if not found:
            raise NotFound("No such message")
        if len(found) > 1:
            raise InvalidArguments.of({"senderId": "required: several people used this id"})
        try:
            if from_part is not None:
                return parts_from(found[0], from_part)
            return as_part(found[0], offset)
        except ValueError as error:
            wrong = "offset" if from_part is None else "fromPart"
            raise InvalidArguments.of({wrong: str(error)}) from None

    return get_message
