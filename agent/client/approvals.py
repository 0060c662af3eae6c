"""Approvals: the agent asks whether a tool may run, and the app decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from livekit import rtc

BACK_WITHIN: Final = 20.0
"""Seconds in which an agent that comes back asks again. Another worker's never asks about the same
call: its model makes new calls."""

MAX_KEPT: Final = 64
"""Decisions that are kept for when the agent asks again: the answer may not have reached it."""


@dataclass(frozen=True, slots=True)
class Approval:
    """The agent asks whether a tool may run.

    Attributes:
        timeout: seconds in which it needs to know.
        sender_id, sender_name: the participant for whom the model calls it.
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


@dataclass(slots=True)
class _Question:
    """Attributes:
    deciding: has ended once there is a decision.
    absence: since the agent has left: withdraws the question, unless it is asked again.
    """

    tool: str
    message: tuple[str, str]
    deciding: asyncio.Task[bool | Decision]
    absence: asyncio.TimerHandle | None = None

    def asked_again(self) -> None:
        if self.absence is not None:
            self.absence.cancel()
            self.absence = None


class Approvals:
    """Answers the calls of `approveTool` of one agent.

    A call that is asked about again, such as after a new connection, is decided once: the decision
    is kept until the agent says that the question is over. It is over, too, where the agent has
    left and does not ask again in time, or another one asks about the same message.

    Args:
        is_agent: whether a participant is the agent; nobody else may ask.
        decide: the function that decides now; None: it is for others to decide.
        on_withdrawn: called with the ids of calls and the tools of questions that are over without
            the agent saying so.
    """

    def __init__(
        self,
        room: rtc.Room,
        *,
        is_agent: Callable[[str], bool],
        decide: Callable[[], Decide | None],
        on_withdrawn: Callable[[str, str], None],
    ) -> None:
        self._room = room
        self._is_agent = is_agent
        self._decide = decide
        self._on_withdrawn = on_withdrawn
        self._is_open = False
        self._questions: dict[str, _Question] = {}
        """By call."""

    def open(self) -> None:
        """Registers the method, once the room is connected."""
        if not self._is_open and self._room.isconnected():
            self._is_open = True
            self._room.local_participant.register_rpc_method("approveTool", self._approve)

    def ended(self, call_id: str) -> None:
        """Somebody has decided, or nobody has in time: the question is over."""
        question = self._questions.pop(call_id, None)
        if question is not None:
            question.asked_again()
            question.deciding.cancel()

    def all_ended(self) -> None:
        """The room is left for good."""
        for call_id in list(self._questions):
            self.ended(call_id)

    def agent_left(self) -> None:
        """Questions wait for the agent to come back; the SDK says that everybody has left while it
        makes a new connection, too."""
        loop = asyncio.get_running_loop()
        for call_id, question in self._questions.items():
            if question.absence is None:
                question.absence = loop.call_later(BACK_WITHIN, self._withdraw, call_id)

    def _withdraw(self, call_id: str) -> None:
        tool = self._questions[call_id].tool
        self.ended(call_id)
        self._on_withdrawn(call_id, tool)

    async def _approve(self, invocation: rtc.RpcInvocationData) -> str:
        if not self._is_agent(invocation.caller_identity):
            raise rtc.RpcError(403, "Only the agent may ask")
        asked = json.loads(invocation.payload)
        question = self._questions.get(asked["callId"])
        if question is None:
            question = self._begin(asked)
        else:
            question.asked_again()
        deciding = question.deciding
        try:
            decision = await asyncio.shield(deciding)
        except asyncio.CancelledError:
            if deciding.cancelled():
                raise rtc.RpcError(409, "The question is over") from None
            raise
        except TimeoutError:
            raise rtc.RpcError(504, "Nobody here has decided in time") from None
        if isinstance(decision, Decision):
            return json.dumps({"approved": decision.approved, "reason": decision.reason})
        return json.dumps({"approved": decision})

    def _begin(self, asked: Mapping[str, Any]) -> _Question:
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
        message = approval.sender_id, approval.message_id
        for former, each in list(self._questions.items()):
            # The next agent answers the same message, and its model makes new calls.
            if each.absence is not None and each.message == message:
                self._withdraw(former)
        deciding = asyncio.create_task(_decided(decide, approval), name="decide on a call")
        question = _Question(approval.tool, message, deciding)
        self._questions[approval.call_id] = question
        deciding.add_done_callback(lambda _: self._keep(approval.call_id, question))
        return question

    def _keep(self, call_id: str, question: _Question) -> None:
        """Keeps the last decisions, and forgets that there was none: the agent is told, if it still
        waits."""
        task = question.deciding
        has_decided = not task.cancelled() and task.exception() is None
        if not has_decided and self._questions.get(call_id) is question:
            question.asked_again()
            del self._questions[call_id]
        decided = [each for each, other in self._questions.items() if other.deciding.done()]
        for oldest in decided[:-MAX_KEPT]:
            self.ended(oldest)


async def _decided(decide: Decide, approval: Approval) -> bool | Decision:
    async with asyncio.timeout(approval.timeout):
        return await decide(approval)
