"""Items of a conversation, in the form for a remote session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from livekit.agents import llm
from livekit.protocol.agent_pb import agent_session as pb

MAX_BYTES: Final = 512 * 1024
"""Limit of the items in one response; older ones are left out."""

_ROLES: Final = {
    "developer": pb.ChatRole.DEVELOPER,
    "system": pb.ChatRole.SYSTEM,
    "user": pb.ChatRole.USER,
    "assistant": pb.ChatRole.ASSISTANT,
}

Item = pb.ChatContext.ChatItem


def encoded(items: Sequence[llm.ChatItem]) -> list[Item]:
    """As many of the newest items as fit, oldest first."""
    found: list[Item] = []
    left = MAX_BYTES
    for each in reversed(items):
        item = _encoded(each)
        if item is None:
            continue
        left -= item.ByteSize()
        if left < 0:
            break
        found.append(item)
    return found[::-1]


def timestamp(seconds: float) -> Timestamp:
    """A moment, from seconds since 1970."""
    found = Timestamp()
    found.FromNanoseconds(int(seconds * 1e9))
    return found


def _encoded(item: llm.ChatItem) -> Item | None:
    """Messages with their text, calls and their results; None for anything else."""
    if isinstance(item, llm.ChatMessage):
        texts = [part for part in item.content if isinstance(part, str)]
        message = pb.ChatMessage(
            id=item.id,
            role=_ROLES[item.role],
            content=[pb.ChatMessage.ChatContent(text=text) for text in texts],
            interrupted=item.interrupted,
            created_at=timestamp(item.created_at),
        )
        return Item(message=message)
    if isinstance(item, llm.FunctionCall):
        call = pb.FunctionCall(
            id=item.id,
            call_id=item.call_id,
            name=item.name,
            arguments=item.arguments,
            created_at=timestamp(item.created_at),
        )
        return Item(function_call=call)
    if isinstance(item, llm.FunctionCallOutput):
        output = pb.FunctionCallOutput(
            id=item.id,
            call_id=item.call_id,
            name=item.name,
            output=item.output,
            is_error=item.is_error,
            created_at=timestamp(item.created_at),
        )
        return Item(function_call_output=output)
    return None
