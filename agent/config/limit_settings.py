"""LimitSettings: a group of settings; agent.config.settings reads them."""

from typing import Any

from pydantic import BaseModel, Field

from agent.config.setting_types import Rate


def _rate(default: str, alias: str, description: str) -> Any:  # noqa: ANN401 - as pydantic's Field
    return Field(default, alias=alias, description=f"{description}; 0: no limit")


def _count(default: int, alias: str, description: str) -> Any:  # noqa: ANN401 - as pydantic's Field
    return Field(default, alias=alias, ge=0, description=f"{description}; 0: no limit")


class LimitSettings(BaseModel):
    """Rates and budgets of one participant, one room and one tenant.

    The rates and the numbers of answers and conversations hold in each worker process; tokens a day
    are counted in the database, for all processes together.
    """

    participant_messages: Rate = _rate(
        "600/minute", "PARTICIPANT_MESSAGES", "messages of one participant in a room"
    )
    room_messages: Rate = _rate("6000/minute", "ROOM_MESSAGES", "messages in one room")
    tenant_messages: Rate = _rate("0", "TENANT_MESSAGES", "messages in all rooms of one tenant")
    participant_rpc_calls: Rate = _rate(
        "12000/minute", "PARTICIPANT_RPC_CALLS", "RPC calls of one participant in a room"
    )
    room_rpc_calls: Rate = _rate("60000/minute", "ROOM_RPC_CALLS", "RPC calls in one room")
    tenant_rpc_calls: Rate = _rate("0", "TENANT_RPC_CALLS", "RPC calls in all rooms of one tenant")
    participant_tool_calls: Rate = _rate(
        "600/minute",
        "PARTICIPANT_TOOL_CALLS",
        "tool calls of the model for one participant in a room",
    )
    room_tool_calls: Rate = _rate(
        "6000/minute", "ROOM_TOOL_CALLS", "tool calls of the model in one room"
    )
    tenant_tool_calls: Rate = _rate(
        "0", "TENANT_TOOL_CALLS", "tool calls of the model in all rooms of one tenant"
    )
    participant_bytes: Rate = _rate(
        "4294967296/hour",
        "PARTICIPANT_BYTES",
        "bytes of messages and files of one participant in a room",
    )
    room_bytes: Rate = _rate(
        "17179869184/hour", "ROOM_BYTES", "bytes of messages and files in one room"
    )
    tenant_bytes: Rate = _rate(
        "0", "TENANT_BYTES", "bytes of messages and files in all rooms of one tenant"
    )
    participant_files: Rate = _rate(
        "1000/hour", "PARTICIPANT_FILES", "files of one participant in a room"
    )
    room_files: Rate = _rate("10000/hour", "ROOM_FILES", "files in one room")
    tenant_files: Rate = _rate("0", "TENANT_FILES", "files in all rooms of one tenant")
    participant_tokens_in: int = _count(
        0,
        "PARTICIPANT_TOKENS_IN",
        "tokens a day that the model reads for one participant in a room",
    )
    room_tokens_in: int = _count(
        100_000_000, "ROOM_TOKENS_IN", "tokens a day that the model reads in one room"
    )
    tenant_tokens_in: int = _count(
        0, "TENANT_TOKENS_IN", "tokens a day that the model reads in all rooms of one tenant"
    )
    participant_tokens_out: int = _count(
        0,
        "PARTICIPANT_TOKENS_OUT",
        "tokens a day that the model writes for one participant in a room",
    )
    room_tokens_out: int = _count(
        10_000_000, "ROOM_TOKENS_OUT", "tokens a day that the model writes in one room"
    )
    tenant_tokens_out: int = _count(
        0, "TENANT_TOKENS_OUT", "tokens a day that the model writes in all rooms of one tenant"
    )
    room_answers: int = _count(
        100, "ROOM_ANSWERS", "conversations of one room that are answered at once"
    )
    tenant_answers: int = _count(
        0, "TENANT_ANSWERS", "conversations of all rooms of one tenant that are answered at once"
    )
    room_private_conversations: int = _count(
        1000, "ROOM_PRIVATE_CONVERSATIONS", "private conversations that are open in one room"
    )
    tenant_private_conversations: int = _count(
        0,
        "TENANT_PRIVATE_CONVERSATIONS",
        "private conversations that are open in all rooms of one tenant",
    )
