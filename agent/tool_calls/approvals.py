"""Approvals: asks participants whether a tool may run, and asks them a tool's own questions."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from livekit import rtc

from agent.contract.answers import CallDescription, ElicitationDescription
from agent.tool_calls import elicitation as elicitations
from agent.tool_calls.approval_question import ApprovalQuestion, Verdict
from agent.tool_calls.callers import described
from agent.tool_calls.client_rpc import MAX_REQUEST_BYTES, ClientRpc
from agent.wire.envelope import encode
from agent.wire.notices import Notices
from toolkit.caller import Caller
from toolkit.errors import NotAllowed, RateLimited, TooLarge, Unavailable
from toolkit.questions import Elicitation, Elicited
from toolkit.tool import Tool

logger = logging.getLogger(__name__)

MAX_ASKED: Final = 8
"""Calls for one participant that wait for approval at a time."""

MAX_WAITING: Final = 32
"""Calls of one room that wait for approval at a time."""


class Asker(Protocol):
    """For whom a call is made, and for which message: a CallOrigin, or a RpcAsker."""

    @property
    def caller(self) -> Caller: ...
    @property
    def message_id(self) -> str: ...
    @property
    def private(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class RpcAsker:
    """A participant who calls a tool by RPC."""

    caller: Caller
    private: bool
    message_id: str = ""


class Approvals:
    """Asks by RPC; everything but a plain yes counts as a no.

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
        self, turn: Asker, call_id: str, tool: Tool, arguments: Mapping[str, object]
    ) -> None:
        """Returns if the participant whom the model answers, or one of the tool's approvers if it
        has some, agrees to the call.

        Raises:
            NotAllowed: they do not, or cannot be asked; the message says which, for the model.
            TooLarge: the arguments are too long to be shown.
            RateLimited: too many calls wait.
        """
        identity = turn.caller.identity
        self._check_waiting(identity)
        payload = _payload(turn, call_id, tool, arguments)
        if len(payload(self._timeout).encode()) > MAX_REQUEST_BYTES:
            raise TooLarge(f"The arguments of {tool.name} are too long to be shown for approval")
        if tool.approvers is None and identity == self._room.local_participant.identity:
            raise _refused(tool, "no participant made the call, so there is nobody to ask")
        question = ApprovalQuestion(
            self._room,
            self._rpc,
            may_answer=_approver(tool, identity),
            sole=identity if tool.approvers is None else None,
            payload=payload,
            private=turn.private,
            seconds=self._timeout,
        )
        ended = Verdict("cancelled")
        try:
            with self._waits(identity):
                ended = verdict = await question.verdict()
        finally:
            for each in sorted({*question.asked, identity}):
                self._tell_end(each, call_id, tool, ended)
        if verdict.outcome != "approved":
            raise _refused(tool, verdict.reason)

    async def elicit(
        self, asker: Asker, call_id: str, number: int, tool: Tool, asked: Elicitation
    ) -> Elicited:
        """Asks the participant for whom a call is made a question of its tool.

        Args:
            number: of the question, in its call.

        Raises:
            Unavailable: they cannot be asked, or do not answer; the message says which.
            InvalidArguments: the form or the page cannot be shown.
            TooLarge: the question is too long to be shown.
            RateLimited: too many questions wait.
        """
        identity = asker.caller.identity
        self._check_waiting(identity)
        if identity == self._room.local_participant.identity:
            raise Unavailable("Nobody has answered the question: nobody in the room could")
        question_id = f"{call_id}.{number}"
        payload = _question(asker, call_id, question_id, tool, asked)
        if len(payload(self._timeout).encode()) > MAX_REQUEST_BYTES:
            raise TooLarge("The question is too long to be shown")
        question = ApprovalQuestion(
            self._room,
            self._rpc,
            may_answer=lambda participant: participant.identity == identity,
            sole=identity,
            payload=payload,
            private=asker.private,
            seconds=self._timeout,
            method=elicitations.METHOD,
            read=elicitations.reader(asked),
        )
        ended = Verdict("cancelled")
        try:
            with self._waits(identity):
                ended = await question.verdict()
        finally:
            self._notices.tell(
                identity,
                "elicitation.ended",
                ended.reason,
                callId=call_id,
                questionId=question_id,
                tool=tool.name,
                outcome=elicitations.outcome(ended),
            )
        return elicitations.elicited(ended)

    def _check_waiting(self, identity: str) -> None:
        if self._waiting[identity] >= MAX_ASKED or self._waiting.total() >= MAX_WAITING:
            raise RateLimited("Too many calls wait for approval", retry_after=self._timeout)

    @contextmanager
    def _waits(self, identity: str) -> Generator[None]:
        self._waiting[identity] += 1
        try:
            yield
        finally:
            self._waiting[identity] -= 1
            if not self._waiting[identity]:
                del self._waiting[identity]

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
    return lambda participant: (
        not (tool.four_eyes and participant.identity == asker)
        and tool.may_approve(described(participant))
    )


def _payload(
    turn: Asker, call_id: str, tool: Tool, arguments: Mapping[str, object]
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


def _question(
    asker: Asker, call_id: str, question_id: str, tool: Tool, asked: Elicitation
) -> Callable[[float], str]:
    def payload(seconds: float) -> str:
        question: ElicitationDescription = {
            "questionId": question_id,
            "callId": call_id,
            "tool": tool.name,
            "message": asked.message[: elicitations.MAX_MESSAGE],
            "messageId": asker.message_id,
            "timeout": seconds,
        }
        if asked.schema is not None:
            question["schema"] = dict(asked.schema)
        if asked.url:
            question["url"] = asked.url
        return encode(question).decode()

    return payload


def _refused(tool: Tool, reason: str) -> NotAllowed:
    return NotAllowed(f"{tool.name} was not approved: {reason}")
