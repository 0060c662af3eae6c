"""Approvals: the agent asks whether a tool may run, and the app decides."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from livekit import rtc


@dataclass(frozen=True, slots=True)
class Approval:
    """The agent asks whether a tool may run.

    Attributes:
        timeout: seconds in which it needs to know.
    """

    call_id: str
    tool: str
    description: str
    arguments: Mapping[str, Any]
    message_id: str
    timeout: float


Decide = Callable[[Approval], Awaitable[bool]]


class Approvals:
    """Answers the calls of `approveTool` of one agent.

    Args:
        is_agent: whether a participant is the agent; nobody else may ask.
        decide: the function that decides now; None: no tool that needs approval may run.
    """

    def __init__(
        self,
        room: rtc.Room,
        *,
        is_agent: Callable[[str], bool],
        decide: Callable[[], Decide | None],
    ) -> None:
        self._room = room
        self._is_agent = is_agent
        self._decide = decide
        self._is_open = False

    def open(self) -> None:
        """Registers the method, once the room is connected."""
        if not self._is_open and self._room.isconnected():
            self._is_open = True
            self._room.local_participant.register_rpc_method("approveTool", self._approve)

    async def _approve(self, invocation: rtc.RpcInvocationData) -> str:
        if not self._is_agent(invocation.caller_identity):
            raise rtc.RpcError(403, "Only the agent may ask")
        decide = self._decide()
        if decide is None:
            return json.dumps({"approved": False, "reason": "nobody decides here"})
        asked = json.loads(invocation.payload)
        approval = Approval(
            asked["callId"],
            asked["tool"],
            asked["description"],
            asked["arguments"],
            asked["messageId"],
            asked["timeout"],
        )
        return json.dumps({"approved": await decide(approval)})
