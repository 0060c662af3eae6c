"""Erasure: the subject of an erasure, and its receipt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Self

from agent.history.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class Subject:
    """The data to erase: a participant's, a room's, a conversation's, or a participant's in one of
    these.

    Attributes:
        identity: of the participant; None: everybody's.
        room: name of a room; covers the conversations that `room_of` attributes to it.
        conversation: name of one conversation in the history.
    """

    identity: str | None = None
    room: str | None = None
    conversation: str | None = None

    def __post_init__(self) -> None:
        if self.identity is None and self.room is None and self.conversation is None:
            raise InvalidValueError("Erasing needs a participant, a room or a conversation.")

    @property
    def is_everywhere(self) -> bool:
        """Whether it covers all conversations."""
        return self.room is None and self.conversation is None


@dataclass(frozen=True, slots=True)
class Erased:
    """The receipt: how many of each there were.

    Attributes:
        messages: messages and answers, and the remains of deleted ones.
        threads: threads that are gone as a whole.
        summaries: summaries that may have mentioned erased data.
        files: files of messages; their content may belong to other messages, too.
        contents: SHA-256 hashes of their contents.
        boards: whiteboards that were deleted or changed.
        states: shared states.
    """

    messages: int = 0
    threads: int = 0
    summaries: int = 0
    reactions: int = 0
    feedback: int = 0
    files: int = 0
    boards: int = 0
    states: int = 0
    contents: frozenset[str] = field(default=frozenset(), repr=False)

    def __add__(self, other: Self) -> Self:
        counts = {
            each.name: getattr(self, each.name) + getattr(other, each.name)
            for each in fields(self)
            if each.name != "contents"
        }
        return type(self)(**counts, contents=self.contents | other.contents)

    @classmethod
    def sum(cls, parts: Iterable[Self]) -> Self:
        total = cls()
        for part in parts:
            total += part
        return total
