"""Approvals: the agent asks whether a tool may run, and the app decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from livekit import rtc

MAX_KEPT: Final = 64
"""Decisions that are kept for when the agent asks again: the answer may not have reached it."""


@dataclass(frozen=True, slots=True)
class Approval:
    """The agent asks whether a tool may run.

    Attributes:
        timeout: seconds in which it needs to know.
        sender_id, sender_name: of whoever the model calls it for.
    """

    call_id: str
    tool: str
    description: str
    arguments: Mapping[str, Any]
    message_id: str
    timeout: float
    sender_id: str = ""
    sender_name: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a tool may run, with a reason for the model."""

    approved: bool
    reason: str = ""


Decide = Callable[[Approval], Awaitable[bool | Decision]]


class Approvals:
    """Answers the calls of `approveTool` of one agent.

    A call that is asked about again, such as after a new connection, is decided once: the decision
    is kept until the agent says that the question is over.

    Args:
        is_agent: whether a participant is the agent; nobody else may ask.
        decide: the function that decides now; None: it is for others to decide.
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
        self._deciding: dict[str, asyncio.Task[bool | Decision]] = {}
        """By call; tasks that have ended have decided."""

    def open(self) -> None:
        """Registers the method, once the room is connected."""
        if not self._is_open and self._room.isconnected():
            self._is_open = True
            self._room.local_participant.register_rpc_method("approveTool", self._approve)

    def ended(self, call_id: str) -> None:
        """Somebody has decided, or nobody has in time: the question is over."""
        task = self._deciding.pop(call_id, None)
        if task is not None:
            task.cancel()

    def all_ended(self) -> None:
        """The agent has left, or the room: questions are over. Decisions stay, since the SDK says
        the same of everybody while it makes a new connection."""
        for call_id, task in list(self._deciding.items()):
            if not task.done():
                self.ended(call_id)

    async def _approve(self, invocation: rtc.RpcInvocationData) -> str:
        if not self._is_agent(invocation.caller_identity):
            raise rtc.RpcError(403, "Only the agent may ask")
        asked = json.loads(invocation.payload)
        call_id = asked["callId"]
        task = self._deciding.get(call_id)
        if task is None:
            task = self._deciding[call_id] = self._begin(asked)
            task.add_done_callback(lambda task: self._keep(call_id, task))
        try:
            decision = await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise rtc.RpcError(409, "The question is over") from None
            raise
        except TimeoutError:
            raise rtc.RpcError(504, "Nobody here has decided in time") from None
        if isinstance(decision, Decision):
            return json.dumps({"approved": decision.approved, "reason": decision.reason})
        return json.dumps({"approved": decision})

    def _begin(self, asked: Mapping[str, Any]) -> asyncio.Task[bool | Decision]:
        decide = self._decide()
        if decide is None:
            raise rtc.RpcError(503, "Nobody here decides on this call")
        approval = Approval(
            asked["callId"],
            asked["tool"],
            asked["description"],
            asked["arguments"],
            asked["messageId"],
            asked["timeout"],
            asked.get("senderId", ""),
            asked.get("senderName", ""),
        )
        return asyncio.create_task(_decided(decide, approval), name="decide on a call")

    def _keep(self, call_id: str, task: asyncio.Task[bool | Decision]) -> None:
        """Keeps the last decisions, and forgets that there was none: the agent is told, if it still
        waits."""
        has_decided = not task.cancelled() and task.exception() is None
        if not has_decided and self._deciding.get(call_id) is task:
            del self._deciding[call_id]
        decided = [each for each, task in self._deciding.items() if task.done()]
        for oldest in decided[:-MAX_KEPT]:
            del self._deciding[oldest]


async def _decided(decide: Decide, approval: Approval) -> bool | Decision:
    async with asyncio.timeout(approval.timeout):
        return await decide(approval)
