"""Approvals: the agent asks whether a tool may run, and the app decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from livekit import rtc

from agent.client.asked_questions import AskedQuestions, Begin, Payload
from agent.client.patience import Patience


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


def asked_approvals(
    room: rtc.Room,
    *,
    is_agent: Callable[[str], bool],
    decide: Callable[[], Decide | None],
    patience: Patience,
    on_withdrawn: Callable[[Payload], None],
) -> AskedQuestions[bool | Decision]:
    """Answers the agent's calls of `approveTool`. `decide` returns the app's current function, or
    None if others decide."""

    def answer(asked: Payload) -> Begin[bool | Decision] | None:
        decides = decide()
        return None if decides is None else partial(decides, _approval(asked))

    return AskedQuestions(
        room,
        "approveTool",
        id_field="callId",
        is_agent=is_agent,
        answer=answer,
        encode=_encoded,
        patience=patience,
        on_withdrawn=on_withdrawn,
    )


def _approval(asked: Payload) -> Approval:
    return Approval(
        asked["callId"],
        asked["tool"],
        asked["description"],
        asked["arguments"],
        asked["messageId"],
        asked["timeout"],
        asked.get("senderId", ""),
        asked.get("senderName", ""),
    )


def _encoded(decision: bool | Decision) -> Mapping[str, object]:
    if isinstance(decision, Decision):
        return {"approved": decision.approved, "reason": decision.reason}
    return {"approved": decision}
