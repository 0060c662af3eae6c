"""RpcCall: one call of a method: its caller, and the form of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from livekit import rtc

from toolkit.errors import InvalidArguments
from toolkit.tool import Tool

ANSWER_IN = "answerIn"
"""The argument of every method by which a caller chooses where the answer comes."""

AnswerIn = Literal["response", "packets"]


@dataclass(frozen=True, slots=True)
class RpcCall:
    """One call of a method.

    Attributes:
        identity: the caller's, as the room server reports it.
        method: the called method.
        is_server_api: RoomService.PerformRpc made the call, so nobody of this identity is in the
            room. livekit-server sends such a call with one random UUID as its request id and as its
            caller (pkg/rtc/participant.go, PerformRpc). A participant chooses request ids too, but
            not their identity: one who makes both equal gains nothing, because the flag takes
            rights away and grants none.
        deadline: when the caller has to be answered, by `loop.time()`.
        answer_in: the form in which they want the answer.
    """

    identity: str
    method: str
    is_server_api: bool
    deadline: float
    answer_in: AnswerIn = "response"


def is_server_api(invocation: rtc.RpcInvocationData, room: rtc.Room) -> bool:
    """Whether RoomService.PerformRpc made a call; see `RpcCall.is_server_api`."""
    caller = invocation.caller_identity
    return (
        caller != "" and caller == invocation.request_id and caller not in room.remote_participants
    )


def take_answer_in(
    tool: Tool, arguments: Mapping[str, object]
) -> tuple[Mapping[str, object], AnswerIn]:
    """Splits a payload into the tool's own arguments and the form of the answer.

    A tool that has an argument of this name keeps it.

    Raises:
        InvalidArguments: there is no such form.
    """
    if ANSWER_IN not in arguments or ANSWER_IN in tool.parameters.names:
        return arguments, "response"
    own = {name: value for name, value in arguments.items() if name != ANSWER_IN}
    match arguments[ANSWER_IN]:
        case "response":
            return own, "response"
        case "packets":
            return own, "packets"
        case _:
            raise InvalidArguments.of({ANSWER_IN: "should be 'response' or 'packets'"})
