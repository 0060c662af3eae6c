"""Packets of the agent's besides notices, each addressed to one participant or to the room."""

from __future__ import annotations

from typing import Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from agent.contract.finish_reason import FinishReason
from agent.contract.parts import DESCRIBED


class QuestionFields(TypedDict, total=False):
    """The question that an answer belongs to; absent if nobody asked."""

    inReplyTo: str
    inReplyToSenderId: str


@with_config(DESCRIBED)
class AnswerDelta(TypedDict):
    """A piece of a private answer, on the first of REPLY_TOPICS."""

    type: Literal["delta"]
    id: str
    """Of the answer."""
    inReplyTo: NotRequired[str]
    """Absent where nobody asked."""
    inReplyToSenderId: NotRequired[str]
    seq: int
    """From 0; another 0 begins the answer again."""
    text: str
    position: NotRequired[int]
    final: NotRequired[Literal[True]]
    """The last piece; it has the fields below."""
    finishReason: NotRequired[FinishReason]
    textLength: NotRequired[int]
    """Bytes of UTF-8 of the whole text."""
    sha256: NotRequired[str]
    """Of these bytes, in hex."""


@with_config(DESCRIBED)
class RpcAnswerPart(TypedDict):
    """A piece of the answer to an RPC call, on packet topic `rpc`."""

    type: Literal["rpcAnswer"]
    id: str
    """As the call's response names it: `{"packet": id, "parts": n}`."""
    method: str
    part: int
    """From 1."""
    parts: int
    text: str


class ChatPayload(TypedDict):
    """An answer in the form of the question `{"topic": "chat", "payload": {"id", "text"}}`."""

    id: str
    text: str


@with_config(DESCRIBED)
class ChatAnswer(TypedDict):
    """The finished answer to a question that came in a data packet, without packet topic."""

    type: Literal["chat"]
    id: str
    """Of the answer; its packets share it."""
    senderId: str
    senderName: str
    content: str
    """The same as `text`."""
    text: str
    timestamp: int
    """Milliseconds since 1970."""
    inReplyTo: str
    inReplyToSenderId: str
    position: NotRequired[int]
    finishReason: FinishReason
    part: NotRequired[int]
    """From 1, of an answer in several packets."""
    parts: NotRequired[int]
    message: NotRequired[str]
    """The text again, where the question had its own there."""
    topic: NotRequired[Literal["chat"]]
    """As the question had it."""
    payload: NotRequired[str | ChatPayload]
    """The text again, in the form of the question."""


@with_config(DESCRIBED)
class FilePiece(TypedDict):
    """A piece of a private file, on packet topic `files`."""

    type: Literal["file"]
    fileId: str
    seq: int
    total: int
    name: str
    mimeType: str
    size: int
    """Bytes of the whole file."""
    sha256: str
    data: str
    """Base64."""
    inReplyTo: NotRequired[str]
    inReplyToSenderId: NotRequired[str]
    position: NotRequired[int]
