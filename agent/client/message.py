"""Message: one message of a room, as one person sees it, and what it was before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ROOM = "room"


@dataclass(frozen=True, slots=True)
class Version:
    """A question as it was once.

    Attributes:
        answer: its answer then; None: there was none.
    """

    text: str
    answer: Message | None = None


Key = tuple[str, str, str]
"""Thread, sender and id of a message."""


@dataclass(slots=True)
class Message:
    """A participant's message, or an answer of the agent. It changes while it arrives.

    Attributes:
        thread: `room`, or `private:` and your own identity.
        position: its place in the thread; None: not known yet.
        finish_reason: for an answer that has ended.
        parts: for an answer, its parts by id, as in the wire contract.
        deleted: whether it was deleted.
        versions: of a question that was edited or answered again, what was there before, the oldest
            first: the last 20 that this client has seen.
    """

    id: str
    thread: str
    role: Literal["user", "assistant"]
    sender_id: str
    sender_name: str = ""
    text: str = ""
    timestamp: int = 0
    position: int | None = None
    in_reply_to: str | None = None
    in_reply_to_sender: str | None = None
    finish_reason: str | None = None
    parts: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    attachments: tuple[Mapping[str, Any], ...] = ()
    reactions: tuple[Mapping[str, Any], ...] = ()
    deleted: bool = False
    versions: tuple[Version, ...] = ()

    @property
    def key(self) -> Key:
        return self.thread, self.sender_id, self.id

    @classmethod
    def of_history(cls, shape: Mapping[str, Any]) -> Message:
        """A message as `getHistory` has it."""
        return cls(
            id=shape["id"],
            thread=shape["thread"],
            role=shape["role"],
            sender_id=shape["senderId"],
            sender_name=shape.get("senderName", ""),
            text=shape["text"],
            timestamp=shape["timestamp"],
            position=shape.get("position"),
            in_reply_to=shape.get("inReplyTo"),
            in_reply_to_sender=shape.get("inReplyToSenderId"),
            finish_reason=shape.get("finishReason"),
            parts={part["id"]: part for part in shape.get("parts", ())},
            attachments=tuple(shape.get("attachments", ())),
            reactions=tuple(shape.get("reactions", ())),
        )
