"""Messages and threads, as the history takes and returns them: frozen, and validated when made.

Their representations leave out texts: they end up in logs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, Self

from agent.contract.finish_reason import FinishReason
from agent.history.errors import InvalidValueError, NotAllowedError
from agent.unicode_text import is_well_formed

Role = Literal["user", "assistant"]
Scope = Literal["room", "private"]

MAX_ID_LENGTH: Final = 256
"""Characters in an id, an identity or the name of a room."""

MAX_CONVERSATION_LENGTH: Final = 384
"""Characters in the name of a conversation, which may have a room's name and its sid in it."""

MAX_COMMENT_LENGTH: Final = 4_000
"""Characters in a comment on a message."""

_LARGEST_INTEGER: Final = 2**63 - 1
_PRIVATE_PREFIX: Final = "private:"


def check_id(what: str, value: str, longest: int = MAX_ID_LENGTH) -> None:
    """Raises InvalidValueError unless the value is distinct from all others in any database."""
    if not 0 < len(value) <= longest:
        raise InvalidValueError(f"{what} must have 1 to {longest} characters")
    if not is_well_formed(value):
        # Replacing them, as is done in texts, could make two ids one.
        raise InvalidValueError(f"{what} must not have half a surrogate pair")


def check_integer(what: str, value: int) -> None:
    """Raises InvalidValueError unless the value fits into 64 bits."""
    if not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        raise InvalidValueError(f"{what} is out of range")


@dataclass(frozen=True, slots=True)
class ThreadKey:
    """A thread of a conversation: that of the room, or the private one of a participant.

    Attributes:
        room: name of the conversation, as agent.history.conversation_name makes it; later rooms of
            the same conversation continue its threads.
        owner: identity of the participant whose private thread it is; None: the room's.
    """

    room: str
    owner: str | None = None

    def __post_init__(self) -> None:
        check_id("The name of a conversation", self.room, MAX_CONVERSATION_LENGTH)
        if self.owner is not None:
            check_id("An identity", self.owner)

    @property
    def scope(self) -> Scope:
        return "room" if self.owner is None else "private"

    @property
    def id(self) -> str:
        """The thread's name on the wire: `room`, or `private:` and its owner's identity."""
        return "room" if self.owner is None else f"{_PRIVATE_PREFIX}{self.owner}"

    @classmethod
    def from_id(cls, room: str, thread_id: str) -> Self:
        """The thread that `id` names. Raises InvalidValueError for any other text."""
        if thread_id == "room":
            return cls(room)
        if thread_id.startswith(_PRIVATE_PREFIX):
            return cls(room, thread_id.removeprefix(_PRIVATE_PREFIX))
        raise InvalidValueError("There is no such thread.")

    def check_visible(self, asker: str) -> None:
        """Raises NotAllowedError if the thread is somebody else's private one."""
        if self.owner not in {None, asker}:
            raise NotAllowedError("The thread is private to somebody else.")


@dataclass(frozen=True, slots=True)
class MessageKey:
    """The unique key of a message; an id alone is not unique: its sender chose it."""

    thread: ThreadKey
    sender_id: str
    id: str

    def __post_init__(self) -> None:
        check_id("An identity", self.sender_id)
        check_id("The id of a message", self.id)


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji and the identities of those who put it on a message, in the order they did."""

    emoji: str
    identities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that belongs to a message. The file store has its content, under its hash.

    Attributes:
        id: the agent's unique id for it.
        name: a display name; safe to show and to save under.
        type: its MIME type.
        size: in bytes.
        sha256: hash of its content, in hex.
    """

    id: str
    name: str = field(repr=False)
    type: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        check_id("The id of a file", self.id)


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a participant (role `user`), or an answer of the agent (role `assistant`).

    Attributes:
        id: the sender's id for it; for an answer its `lk.segment_id`.
        timestamp: ms since 1970; for a message by its sender's clock.
        in_reply_to: id of the message that it answers. A client may send any id; for an answer it
            is the question's id, or None if it was unasked.
        in_reply_to_sender: for an answer, the identity of the asker.
        finish_reason: for an answer that has ended.
        form: the form in which it arrived, as its reader names it; stored so that it can be
            answered in kind after a restart.
        awaits_answer: whether its answer is outstanding.
        edited_at: ms since 1970, if it was edited.
        attachments: the files that came with it, in its sender's order.
        parts: for an answer, the parts it showed, as a JSON array; None: none.
        position: assigned by the store, and never changed. Messages of a thread are sorted by it,
            and an answer comes right after its question.
        agent: for an answer, the name of the agent of the app that gave it, if there are several.
        generation: for a message, how often another answer was asked for.
        cursor: assigned by the store: the value of `before` for the page before this message.
    """

    thread: ThreadKey
    sender_id: str
    id: str
    role: Role
    text: str = field(repr=False)
    timestamp: int
    sender_name: str = field(default="", repr=False)
    in_reply_to: str | None = None
    in_reply_to_sender: str | None = None
    finish_reason: FinishReason | None = None
    form: str = ""
    awaits_answer: bool = False
    edited_at: int | None = None
    reactions: tuple[Reaction, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    parts: str | None = field(default=None, repr=False)
    position: int | None = None
    agent: str | None = None
    generation: int = 0
    cursor: str = ""

    def __post_init__(self) -> None:
        check_id("An identity", self.sender_id)
        check_id("The id of a message", self.id)
        check_integer("The timestamp of a message", self.timestamp)
        if self.in_reply_to is not None:
            check_id("The id of a message", self.in_reply_to)
        if self.role == "assistant" and (self.in_reply_to is None) != (not self.in_reply_to_sender):
            raise InvalidValueError("An answer must name its question and its asker.")
        if self.role == "user" and self.thread.owner not in {None, self.sender_id}:
            raise InvalidValueError("In a private thread only its owner writes to the agent.")

    @property
    def key(self) -> MessageKey:
        return MessageKey(self.thread, self.sender_id, self.id)

    @property
    def turn(self) -> MessageKey:
        """The key of its turn: that of the question for an answer that has one, else its own."""
        is_answer = self.role == "assistant" and self.in_reply_to is not None
        return self.question if is_answer else self.key

    @property
    def question(self) -> MessageKey:
        """For an answer: the message that it answers."""
        if self.in_reply_to is None or self.in_reply_to_sender is None:
            raise InvalidValueError("Only an answer has a question.")
        return MessageKey(self.thread, self.in_reply_to_sender, self.in_reply_to)


@dataclass(frozen=True, slots=True)
class Added:
    """The outcome of storing a participant's message. True if the message is new.

    Attributes:
        is_new: no message with its thread, sender and id was stored before.
        position: of a new message; None: not known, since the database is unavailable or slow.
        is_stored: the message is in the database now; False: as far as is known, it is not yet.
    """

    is_new: bool
    position: int | None = None
    is_stored: bool = field(default=False, compare=False)

    def __bool__(self) -> bool:
        return self.is_new


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a thread, oldest message first.

    Attributes:
        next_before: cursor of the page before this one; None: this one has the oldest messages.
    """

    messages: tuple[Message, ...]
    next_before: str | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A message that waits for its answer.

    Attributes:
        segment_id: that of an answer that was begun or given before, to be answered under it.
    """

    message: Message
    segment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A participant's message and the answer that is stored for it, which has ended."""

    question: Message
    answer: Message


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a thread up to a message, that one included."""

    text: str = field(repr=False)
    through: MessageKey


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread with something in it.

    Attributes:
        title: how its first message begins, on one line.
        messages: how many there are.
        last_timestamp: that of the newest message, ms since 1970.
    """

    key: ThreadKey
    title: str = field(repr=False)
    messages: int
    last_timestamp: int
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """Somebody's opinion of a message: `up`, `down` or a number, and why."""

    identity: str
    value: Literal["up", "down"] | float
    comment: str = field(default="", repr=False)
