"""IncomingMessage: a participant's message, however it arrived."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from agent.author_label import author_label, display_name
from agent.history.message import Attachment
from agent.history.position import answer_position
from agent.wire.refusal import Refusal

LEGACY_CHAT_TOPIC: Final = "lk-chat-topic"
"""Topic of the chat packets that livekit's components sent before text streams (components-core,
chat.ts)."""

Key = tuple[str, str]
"""The unique key of a message in its conversation: its sender's identity and its id."""


class Form(Enum):
    """The form in which a message arrived; it decides in which forms its answer goes out besides
    the streams."""

    STREAM = "stream"
    """A text stream on one of the chat topics."""
    PACKET = "packet"
    """A data packet with JSON; its sender reads nothing but such packets."""
    MESSAGE_PACKET = "packet with message"
    """A legacy chat packet: its text is `message`, where its sender looks for it, too."""
    TOPIC_PACKET = "packet by topic"
    """A packet with `topic`, and an object as `payload`."""
    TOPIC_TEXT_PACKET = "packet by topic with text"
    """One that says `topic` and has text as `payload`."""
    LEGACY = "legacy"
    """A packet on `lk-chat-topic`, as clients before text streams send it."""
    FILE = "file"
    """A byte stream that belongs to no message: it is one of its own, without text."""
    SPEECH = "speech"
    """Said into a microphone."""
    OWN = "own"
    """Nobody sent it: the agent says something unasked."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A participant as the server describes them: identity, display name (may be empty), kind.

    The name is on one line, without control and direction characters.
    """

    identity: str
    name: str = ""
    is_agent: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", display_name(self.name))

    @property
    def label(self) -> str:
        """The sender, as the model reads it: `name (identity)`."""
        return author_label(self.identity, self.name)


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """One message, parsed and bounded.

    Attributes:
        id: the sender's id for it; unique for that sender.
        timestamp: when it was sent, ms since 1970 (the sender's clock).
        private: whether its sender asked for an answer that only they get.
        reply_to: id of the message that it answers, if it says so.
        attachments: files that belong to it.
        position: given by the history when it is stored; None: not known, see
            agent.history.position.
        generation: how often another answer was asked for.
        wants_ack: its sender asks for a notice when it is stored, and for its answer again if it is
            sent again.
    """

    id: str
    sender: Sender
    text: str
    timestamp: int
    form: Form
    private: bool = False
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] = ()
    position: int | None = None
    generation: int = 0
    wants_ack: bool = False

    @property
    def is_own(self) -> bool:
        """Whether it stands for something that the agent says unasked."""
        return self.form is Form.OWN

    @property
    def key(self) -> Key:
        return self.sender.identity, self.id

    @property
    def question_key(self) -> Key | None:
        """The key of the question that its answer names; None: the answer is unasked."""
        return None if self.is_own else self.key

    @property
    def answer_position(self) -> int | None:
        """The position of its answer, which is known once the message is stored."""
        return answer_position(self.position)


def id_was_used() -> Refusal:
    """The refusal of a message under the id of another one of its sender's."""
    return Refusal(
        409,
        "Another message of yours has this id. Send it under a new one; editMessage changes the "
        "text of one that was sent.",
    )
