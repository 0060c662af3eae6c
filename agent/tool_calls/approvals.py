"""Approvals: participants are asked whether a tool may run."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from livekit import rtc

from agent.contract.answers import CallDescription
from agent.tool_calls.approval_question import ApprovalQuestion, Verdict
from agent.tool_calls.call_origin import CallOrigin
from agent.tool_calls.callers import described
from agent.tool_calls.client_rpc import MAX_REQUEST_BYTES, ClientRpc
from agent.wire.envelope import encode
from agent.wire.notices import Notices
from toolkit.errors import NotAllowed, RateLimited, TooLarge
from toolkit.tool import Tool

logger = logging.getLogger(__name__)

MAX_ASKED: Final = 8
"""Calls for one participant that wait for approval at a time."""

MAX_WAITING: Final = 32
"""Calls of one room that wait for approval at a time."""


class Approvals:
    """Asks by RPC, and takes everything but a plain yes for a no.

    Args:
        timeout: seconds that there are to decide.
    """

    def __init__(self, room: rtc.Room, rpc: ClientRpc, notices: Notices, *, timeout: float) -> None:
        self._room = room
        self._rpc = rpc
        self._notices = notices
        self._timeout = timeout
        self._waiting: Counter[str] = Counter()

    async def ask(
        self, turn: CallOrigin, call_id: str, tool: Tool, arguments: Mapping[str, object]
    ) -> None:
        """Returns if the one whom the model answers agrees to the call, or one of the tool's
        approvers, if it has some.

        Raises:
            NotAllowed: they do not, or cannot be asked; the message says which, for the model.
            TooLarge: the arguments are too long to be shown.
            RateLimited: too many calls wait.
        """
        identity = turn.caller.identity
        if self._waiting[identity] >= MAX_ASKED or self._waiting.total() >= MAX_WAITING:
            raise RateLimited("Too many calls wait for approval", retry_after=self._timeout)
        payload = _payload(turn, call_id, tool, arguments)
        if len(payload(self._timeout).encode()) > MAX_REQUEST_BYTES:
            raise TooLarge(f"The arguments of {tool.name} are too long to be shown for approval")
        if tool.approvers is None and identity == self._room.local_participant.identity:
            raise _refused(tool, "nobody asked for it who could be asked")
        question = ApprovalQuestion(
            self._room,
            self._rpc,
            may_answer=_approver(tool, identity),
            sole=identity if tool.approvers is None else None,
            payload=payload,
            private=turn.private,
            seconds=self._timeout,
        )
        self._waiting[identity] += 1
        ended = Verdict("cancelled")
        try:
            ended = verdict = await question.verdict()
        finally:
            self._waiting[identity] -= 1
            if not self._waiting[identity]:
                del self._waiting[identity]
            for each in sorted({*question.asked, identity}):
                self._tell_end(each, call_id, tool, ended)
        if verdict.outcome != "approved":
            raise _refused(tool, verdict.reason)

    def _tell_end(self, identity: str, call_id: str, tool: Tool, verdict: Verdict) -> None:
        self._notices.tell(
            identity,
            "approval.ended",
            verdict.reason,
            callId=call_id,
            tool=tool.name,
            outcome=verdict.outcome,
            by=verdict.by or None,
        )


def _approver(tool: Tool, asker: str) -> Callable[[rtc.RemoteParticipant], bool]:
    if tool.approvers is None:
        return lambda participant: participant.identity == asker
    return lambda participant: tool.may_approve(described(participant))


def _payload(
    turn: CallOrigin, call_id: str, tool: Tool, arguments: Mapping[str, object]
) -> Callable[[float], str]:
    def payload(seconds: float) -> str:
        question: CallDescription = {
            "callId": call_id,
            "tool": tool.name,
            "description": tool.description[:1000],
            "arguments": dict(arguments),
            "messageId": turn.message_id,
            "senderId": turn.caller.identity,
            "senderName": turn.caller.name,
            "timeout": seconds,
        }
        return encode(question).decode()

    return payload


def _refused(tool: Tool, reason: str) -> NotAllowed:
    return NotAllowed(f"{tool.name} was not approved: {reason}")
