"""editMessage, deleteMessage and sendFeedback: RPC methods for messages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agent.contract.answers import Deleted, MessageNamed
from agent.history.message import MAX_COMMENT_LENGTH, Feedback, MessageKey
from agent.rpc.arguments import MessageId, caller_of
from agent.rpc.history_errors import told_to_caller
from agent.rpc.room_control import RoomControl
from agent.wire.envelope import ENVELOPE_BYTES, MAX_PACKET_BYTES, split_text
from toolkit.context import ToolContext
from toolkit.errors import InvalidArguments, TooLarge
from toolkit.tool import Tool, tool


def message_methods(control: RoomControl) -> tuple[Tool, ...]:
    """The methods for one room."""

    @tool
    async def edit_message(
        context: ToolContext,
        message_id: MessageId,
        text: Annotated[str, Field(description="the new text of the message")],
    ) -> MessageNamed:
        """Gives one of the caller's messages another text, and answers it again."""
        if not text.strip():
            raise InvalidArguments.of({"text": "must not be empty"})
        if len(text.encode()) > control.max_message_bytes:
            raise TooLarge(f"A message may have {control.max_message_bytes} bytes")
        named = await control.find("editMessage", message_id, caller_of(context))
        key = named.key.sender_id, named.key.id
        edited = await control.change(
            named.key.thread, lambda changes: changes.edit(key, text, control.is_for_agent)
        )
        control.tell("message.edited", named.key, position=edited.position, **_new_text(text))
        await control.show_edited(edited)
        return {"messageId": named.key.id}

    @tool
    async def delete_message(context: ToolContext, message_id: MessageId) -> Deleted:
        """Erases a message with its answer, or an answer."""
        named = await control.find("deleteMessage", message_id, caller_of(context))
        key = named.key.sender_id, named.key.id
        question = named.question.sender_id, named.question.id
        erased = await control.change(
            named.key.thread, lambda changes: changes.delete(key, question)
        )
        for each in erased:
            control.part_actions.forget(each[1])
            control.tell(
                "message.deleted",
                MessageKey(named.key.thread, *each),
                position=named.position_of(each),
            )
        return {"deleted": [message_id for _, message_id in erased]}

    @tool
    async def send_feedback(
        context: ToolContext,
        message_id: MessageId,
        value: Annotated[Literal["up", "down"] | float, Field(description="up, down or a number")],
        comment: Annotated[str, Field(description="why", max_length=MAX_COMMENT_LENGTH)] = "",
    ) -> MessageNamed:
        """Stores the caller's feedback on an answer, in place of their former one."""
        caller = caller_of(context)
        named = await control.find("sendFeedback", message_id, caller)
        with told_to_caller("value"):
            feedback = Feedback(caller.identity, value, comment)
            await control.history.set_feedback(named.key, feedback)
        control.on_feedback(named.key, feedback)
        return {"messageId": named.key.id}

    return edit_message, delete_message, send_feedback


def _new_text(text: str) -> dict[str, str | int | bool]:
    """A message's new text for those who show it, or its beginning if it is too long."""
    first, *rest = split_text(text, MAX_PACKET_BYTES - ENVELOPE_BYTES)
    if not rest:
        return {"newText": first}
    return {"newText": first, "truncated": True, "textLength": len(text.encode())}
