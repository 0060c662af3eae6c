"""Messages of the history, threads and files, as RPC methods answer with them."""

from __future__ import annotations

from typing import Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from agent.contract.finish_reason import FinishReason
from agent.contract.parts import DESCRIBED, Part


@with_config(DESCRIBED)
class Attachment(TypedDict):
    """A file that came with a message."""

    id: str
    name: str
    type: str
    """MIME type."""
    size: int
    """Bytes."""
    sha256: str


@with_config(DESCRIBED)
class Reaction(TypedDict):
    """An emoji on a message."""

    emoji: str
    count: int
    """How many participants have put it there."""
    identities: list[str]
    """Identities of those who put it there, as far as they fit."""


@with_config(DESCRIBED)
class StoredMessage(TypedDict):
    """A message, or an answer, of the history."""

    id: str
    """Of an answer, its `lk.segment_id`."""
    thread: str
    """`room`, or `private:` and an identity."""
    role: Literal["user", "assistant"]
    senderId: str
    senderName: str
    text: str
    timestamp: int
    """Milliseconds since 1970."""
    position: NotRequired[int]
    """Its position in its thread."""
    editedAt: NotRequired[int]
    """Milliseconds since 1970."""
    inReplyTo: NotRequired[str]
    inReplyToSenderId: NotRequired[str]
    finishReason: NotRequired[FinishReason]
    agent: NotRequired[str]
    """Which agent of the app answered, where there are several."""
    reactions: NotRequired[list[Reaction]]
    attachments: NotRequired[list[Attachment]]
    parts: NotRequired[list[Part]]
    partsOmitted: NotRequired[int]
    """How many parts there are, where they do not fit; getMessage has them."""
    truncated: NotRequired[bool]
    """`text` is not the whole text."""
    textLength: NotRequired[int]
    """Bytes of UTF-8 of the whole text."""
    offset: NotRequired[int]
    """Offset of `text` in the whole text."""
    nextOffset: NotRequired[int]
    """Offset of the text that follows."""


@with_config(DESCRIBED)
class HistoryPage(TypedDict):
    """Some messages of a thread, oldest first."""

    messages: list[StoredMessage]
    nextBefore: NotRequired[str]
    """`before` of the page with older messages, if there are any."""


@with_config(DESCRIBED)
class PartsPage(TypedDict):
    """Some parts of one answer."""

    id: str
    parts: list[Part]
    nextPart: NotRequired[int]
    """`fromPart` of the next ones, if there are any."""


@with_config(DESCRIBED)
class Thread(TypedDict):
    """A conversation that the caller may see."""

    id: str
    scope: Literal["room", "private"]
    title: str
    """How its first message begins."""
    messages: int
    """How many."""
    lastTimestamp: int
    """Milliseconds since 1970."""


@with_config(DESCRIBED)
class SentFile(TypedDict):
    """A file that follows in a stream, or in packets, of its own."""

    fileId: str
    name: str
    mimeType: str
    size: int
    """Bytes."""
    sha256: str
