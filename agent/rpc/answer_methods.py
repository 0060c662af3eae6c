"""stopResponse and regenerate: RPC methods for answers."""

import asyncio

from agent.contract.answers import MessageNamed, Stopped
from agent.history.message import MessageKey
from agent.rpc.arguments import MessageId, caller_of
from agent.rpc.permissions import choose
from agent.rpc.room_control import RoomControl
from toolkit.caller import Caller
from toolkit.context import ToolContext
from toolkit.errors import ToolError
from toolkit.tool import Tool, tool


def answer_methods(control: RoomControl) -> tuple[Tool, ...]:
    """The methods for one room."""

    async def to_stop(message_id: str, caller: Caller) -> list[MessageKey]:
        under_way = control.under_way(message_id, caller)
        try:
            return [choose("stopResponse", under_way, caller).question]
        except ToolError:
            # It may have ended; the store knows. Not asked first: stopping works without it.
            await control.find("stopResponse", message_id, caller)
            return []

    async def stop(question: MessageKey) -> bool:
        key = question.sender_id, question.id
        return await control.change(question.thread, lambda changes: changes.stop(key))

    @tool
    async def stop_response(context: ToolContext, message_id: MessageId | None = None) -> Stopped:
        """Ends an answer with the text so far; without an id, the caller's in progress."""
        caller = caller_of(context)
        if message_id is None:
            questions = control.answering(caller)
        else:
            questions = await to_stop(message_id, caller)
        stopped = await asyncio.gather(*(stop(question) for question in questions))
        return {"stopped": [each.id for each, done in zip(questions, stopped, strict=True) if done]}

    @tool
    async def regenerate(context: ToolContext, message_id: MessageId) -> MessageNamed:
        """Answers a message again, in place of its former answer."""
        named = await control.find("regenerate", message_id, caller_of(context))
        key = named.question.sender_id, named.question.id
        await control.change(named.key.thread, lambda changes: changes.regenerate(key))
        return {"messageId": named.question.id}

    return stop_response, regenerate
