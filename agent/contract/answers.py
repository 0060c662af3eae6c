"""Answers of the agent's RPC methods. Those about messages are in messages.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from agent.contract.messages import Thread
from agent.contract.parts import DESCRIBED


@dataclass(frozen=True, slots=True)
class JsonText:
    """`Annotated[str, JsonText(Shape)]`: the text that a method returns is the JSON of this."""

    of: type


class MessageNamed(TypedDict):
    """The message that was edited, answered again or assessed."""

    messageId: str


class Stopped(TypedDict):
    """The messages whose answers were stopped, by their ids."""

    stopped: list[str]


class Deleted(TypedDict):
    """The message and its answer, by their ids."""

    deleted: list[str]


class ThreadList(TypedDict):
    """The room's thread first."""

    threads: list[Thread]


@with_config(DESCRIBED)
class ThreadDeleted(TypedDict):
    """A thread that is empty now."""

    thread: str
    messages: int
    """How many were deleted."""


@with_config(DESCRIBED)
class Summary(TypedDict):
    """The summary of a thread."""

    thread: str
    summary: str
    """Empty where nothing was said."""
    upTo: NotRequired[str]
    """Id of the last message that it covers."""
    upToSenderId: NotRequired[str]


@with_config(DESCRIBED)
class State(TypedDict):
    """The document that a conversation shares, or the value at the pointer."""

    thread: str
    revision: int
    state: object


class StateRevision(TypedDict):
    """The revision after a change."""

    thread: str
    revision: int


@with_config(DESCRIBED)
class Listening(TypedDict):
    """The participant to whom the agent listens."""

    listening: str | None
    """null: anybody who speaks."""


class ErasedCounts(TypedDict):
    """How many of each were erased."""

    messages: int
    threads: int
    summaries: int
    reactions: int
    feedback: int
    files: int
    contents: int
    boards: int
    states: int


class Said(TypedDict):
    """The `lk.segment_id` of the text that the agent will say."""

    segmentId: str


class AgentNamed(TypedDict):
    """An agent of the app."""

    agent: str


class Nothing(TypedDict):
    """No fields."""


class CallDescription(TypedDict):
    """The arguments of a tool call that is waiting for approval, as `approveTool` is called."""

    callId: str
    tool: str
    description: str
    arguments: dict[str, object]
    messageId: str
    senderId: str
    senderName: str
    timeout: float


class Approval(TypedDict):
    """A client's answer to `approveTool`."""

    approved: bool
    reason: NotRequired[str]


class ElicitationDescription(TypedDict):
    """A question that a tool asks somebody, as `elicit` is called."""

    questionId: str
    callId: str
    tool: str
    message: str
    messageId: str
    timeout: float
    schema: NotRequired[dict[str, object]]
    url: NotRequired[str]


class Elicitation(TypedDict):
    """A client's answer to `elicit`."""

    action: Literal["accept", "decline", "cancel"]
    content: NotRequired[dict[str, object]]


@with_config(DESCRIBED)
class WhiteboardElement(TypedDict):
    """A stroke, a note or a text; `op` says which."""

    op: Literal["stroke", "note", "text"]
    id: str
    senderId: str
    timestamp: int
    """Milliseconds since 1970."""
    order: int
    """Its position in the stacking order, from the bottom."""
    points: NotRequired[list[tuple[float, float]]]
    """Of a stroke."""
    width: NotRequired[float]
    x: NotRequired[float]
    y: NotRequired[float]
    text: NotRequired[str]
    color: NotRequired[str]


@with_config(DESCRIBED)
class WhiteboardOperation(TypedDict):
    """An operation that was done on a whiteboard, with the fields of the kind that `op` names."""

    op: Literal["stroke", "note", "text", "move", "erase", "clear"]
    senderId: str
    timestamp: int
    """Milliseconds since 1970."""
    sequence: int
    """Its number."""
    id: NotRequired[str]
    points: NotRequired[list[tuple[float, float]]]
    width: NotRequired[float]
    x: NotRequired[float]
    y: NotRequired[float]
    text: NotRequired[str]
    color: NotRequired[str]


@with_config(DESCRIBED)
class WhiteboardPage(TypedDict):
    """Elements from the bottom up, or, for a call with `since`, the operations since then."""

    sequence: int
    """Number of the last operation."""
    elements: NotRequired[list[WhiteboardElement]]
    nextAfter: NotRequired[int]
    """`after` of the next page, if there is one."""
    operations: NotRequired[list[WhiteboardOperation]]
    nextSince: NotRequired[int]
    """`since` of the next page, if there is one."""
