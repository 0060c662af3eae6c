"""Notice: a packet of the agent's on packet topic `system`."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field, with_config
from typing_extensions import TypeAliasType, TypedDict

from agent.contract.finish_reason import FinishReason
from agent.contract.parts import DESCRIBED

ThreadId: TypeAlias = Annotated[str, Field(description="`room`, or `private:` and an identity")]
Position: TypeAlias = Annotated[int, Field(description="in the thread")]


class NoticeBase(TypedDict):
    """The fields that all notices have."""

    id: str
    type: Literal["system"]
    senderId: str
    senderName: str
    content: Annotated[str, Field(description="for people to read; often empty")]
    text: Annotated[str, Field(description="the same")]
    timestamp: Annotated[int, Field(description="milliseconds since 1970")]


@with_config(DESCRIBED)
class ErrorNotice(NoticeBase):
    """A message or packet was not accepted."""

    event: Literal["error"]
    code: int
    messageIds: NotRequired[list[str]]
    """The id of the message or packet that was not accepted, if known."""
    retryAfter: NotRequired[float]
    """Seconds, where waiting helps."""


class MessageStored(NoticeBase):
    """A message whose sender asked for it is in the database."""

    event: Literal["message.stored"]
    messageIds: list[str]
    position: NotRequired[Position]


@with_config(DESCRIBED)
class MessageEdited(NoticeBase):
    """A message has another text."""

    event: Literal["message.edited"]
    thread: ThreadId
    messageIds: list[str]
    authorId: str
    position: NotRequired[Position]
    newText: str
    truncated: NotRequired[bool]
    """`newText` is only the beginning."""
    textLength: NotRequired[int]
    """Bytes of UTF-8 of the whole text."""


class MessageDeleted(NoticeBase):
    """A message, or an answer, is gone."""

    event: Literal["message.deleted"]
    thread: ThreadId
    messageIds: list[str]
    authorId: str
    position: NotRequired[Position]


class ThreadCleared(NoticeBase):
    """All messages of a thread are gone."""

    event: Literal["thread.deleted"]
    thread: ThreadId


class AuthorErased(NoticeBase):
    """All messages of a participant are gone, with the answers to them."""

    event: Literal["author.erased"]
    thread: ThreadId
    authorId: str


@with_config(DESCRIBED)
class AnswerFinished(NoticeBase):
    """An answer has ended."""

    event: Literal["answer.finished"]
    segmentId: str
    inReplyTo: NotRequired[str]
    """Absent if nobody asked."""
    inReplyToSenderId: NotRequired[str]
    position: NotRequired[Position]
    finishReason: FinishReason
    agent: NotRequired[str]
    """Which agent of the app answered, where there are several."""


class ReactionCount(TypedDict):
    """An emoji, and how many have put it there."""

    emoji: str
    count: int


@with_config(DESCRIBED)
class ReactionsChanged(NoticeBase):
    """Somebody has put an emoji on a message, or taken it away."""

    event: Literal["reactions.changed"]
    thread: ThreadId
    messageId: str
    messageSenderId: str
    position: NotRequired[Position]
    emoji: str
    reactedBy: str
    removed: bool
    reactions: list[ReactionCount]
    """All that are there now."""


@with_config(DESCRIBED)
class VoiceFailed(NoticeBase):
    """The agent cannot hear, or cannot speak."""

    event: Literal["voice.failed"]
    part: NotRequired[Literal["stt", "tts"]]
    """Absent where there is no voice at all."""


@with_config(DESCRIBED)
class StateChanged(NoticeBase):
    """The document that a conversation shares has changed."""

    event: Literal["state.changed"]
    thread: ThreadId
    revision: int
    patch: NotRequired[list[dict[str, object]]]
    """RFC 6902; absent where it is too long."""


class _CallNotice(NoticeBase):
    callId: str
    tool: str
    inReplyTo: Annotated[
        NotRequired[str], Field(description="the message that is being answered, if one is")
    ]
    inReplyToSenderId: NotRequired[str]
    position: Annotated[NotRequired[int], Field(description="of the answer in its thread")]


class ToolStarted(_CallNotice):
    """A call of a tool has begun."""

    event: Literal["tool.started"]


@with_config(DESCRIBED)
class ToolProgress(_CallNotice):
    """Progress of a tool call, in `content`."""

    event: Literal["tool.progress"]
    progress: NotRequired[float]
    """From 0 to 1."""


@with_config(DESCRIBED)
class ToolFinished(_CallNotice):
    """A call of a tool has ended."""

    event: Literal["tool.finished"]
    outcome: Literal["ok", "error", "cancelled"]
    code: NotRequired[int]
    """Of an error."""


@with_config(DESCRIBED)
class ApprovalEnded(NoticeBase):
    """A question whether a call may run is over; the text is the reason, if there is one."""

    event: Literal["approval.ended"]
    callId: str
    tool: str
    outcome: Literal["approved", "refused", "unanswered", "cancelled"]
    by: NotRequired[str]
    """Identity of the participant who decided."""


@with_config(DESCRIBED)
class ElicitationEnded(NoticeBase):
    """A question of a tool's is over; the text says why, if nobody has answered it."""

    event: Literal["elicitation.ended"]
    callId: str
    questionId: str
    tool: str
    outcome: Literal["accept", "decline", "cancel", "unanswered", "cancelled"]


@with_config(DESCRIBED)
class FileProgress(NoticeBase):
    """How much of a file has arrived."""

    event: Literal["file.progress"]
    streamId: str
    """The id under which it is sent."""
    name: str
    received: int
    """Bytes."""
    size: NotRequired[int]
    """Bytes."""


@with_config(DESCRIBED)
class FileReceived(NoticeBase):
    """A file is stored."""

    event: Literal["file.received"]
    streamId: str
    fileId: str
    """The agent's own id of it."""
    name: str
    mimeType: str
    size: int
    """Bytes."""
    sha256: str


@with_config(DESCRIBED)
class FileRefused(NoticeBase):
    """A file is refused; `text` says why."""

    event: Literal["file.refused"]
    streamId: str
    name: str
    code: int
    retryAfter: NotRequired[float]
    """Seconds, where waiting helps."""


Notice = TypeAliasType(
    "Notice",
    Annotated[
        ErrorNotice
        | MessageStored
        | MessageEdited
        | MessageDeleted
        | ThreadCleared
        | AuthorErased
        | AnswerFinished
        | ReactionsChanged
        | VoiceFailed
        | StateChanged
        | ToolStarted
        | ToolProgress
        | ToolFinished
        | ApprovalEnded
        | ElicitationEnded
        | FileProgress
        | FileReceived
        | FileRefused,
        Field(discriminator="event"),
    ],
)
