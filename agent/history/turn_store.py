"""TurnStore: the interface of an app's own store of messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from agent.history.message import Message, MessageKey, ThreadKey

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Opinion:
    """One participant's feedback: `message` is the id of the question or of its answer."""

    message: str
    identity: str
    value: str | float
    comment: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A participant's message with its answer, or an answer that nobody asked for.

    Attributes:
        key: unique: that of the message, or of the answer that nobody asked for.
        stored_at: when it was last written to be read, ms since 1970.
        number: its place in its thread, which `TurnStore.add` gave it; 0: it has none yet.
        question: the message; None: there is none.
        answer: the answer, which has no finish reason until it has ended.
        erased: ids of those of both that were deleted: nothing else is left of these.
        opinions: feedback on both.
        is_told: the end of the answer was sent.
    """

    key: MessageKey
    stored_at: int
    number: int = 0
    question: Message | None = None
    answer: Message | None = None
    erased: tuple[str, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    is_told: bool = True

    @property
    def messages(self) -> Iterator[Message]:
        """The message and its answer, as far as there are."""
        return (each for each in (self.question, self.answer) if each is not None)

    @property
    def contents(self) -> frozenset[str]:
        """SHA-256 hashes of its files."""
        return frozenset(file.sha256 for each in self.messages for file in each.attachments)

    def with_number(self, number: int) -> Self:
        """As it is stored, once it has its place."""
        return replace(self, number=number)

    def to_json(self) -> str:
        """All of it as a JSON object, for stores that keep text."""
        import msgspec  # noqa: PLC0415 - not needed for the types

        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The turn of such an object."""
        import msgspec  # noqa: PLC0415 - as above

        return msgspec.json.decode(text, type=cls)


class TurnStore(Protocol):
    """Keeps turns. The worker calls it on the event loop of its rooms, from one task at a time for
    each thread; each call has 10 seconds.

    RejectedError means that the store will never accept this turn, for example because it is too
    large: the write is dropped, and others continue. Any other exception means that the store
    cannot be used now: rooms continue, and the worker retries its writes until they succeed, or
    drops the oldest turns when there are too many. The store may have `async def open()`, which is
    called before anything else, and again after each failure, and `async def aclose()`.
    """

    async def add(self, turn: StoredTurn) -> int | None:
        """Stores a turn, unless there is one with its key: None, and nothing is changed.

        Returns its number: 1 or more, larger than those of all turns in its thread. This must be
        atomic if several workers share the store.
        """
        ...

    async def save(self, turn: StoredTurn) -> None:
        """Replaces the turn with this key, which has been added."""
        ...

    async def load(self, key: MessageKey) -> StoredTurn | None:
        """The turn with a key, with its number."""
        ...

    async def newest(
        self, thread: ThreadKey, before: int | None, limit: int
    ) -> Sequence[StoredTurn]:
        """The turns of a thread with the largest numbers (below `before`), the newest first."""
        ...

    async def threads(self, conversation: str) -> Sequence[ThreadKey]:
        """The threads of a conversation (`ThreadKey.room`) that have turns."""
        ...


@runtime_checkable
class KeepsSummaries(Protocol):
    """A store that also keeps one text for each thread: the summary of its older part."""

    async def save_summary(self, thread: ThreadKey, text: str | None) -> None:
        """Stores the text in place of the former one; None: deletes it."""
        ...

    async def load_summary(self, thread: ThreadKey) -> str | None:
        """The text; None: there is none."""
        ...


@runtime_checkable
class RemovesTurns(Protocol):
    """A store from which data can be erased for good, on request and after RETENTION_DAYS."""

    async def remove(self, keys: Sequence[MessageKey]) -> None:
        """Deletes turns without a trace; those that it does not have are ignored."""
        ...

    async def conversations(self, after: str, limit: int) -> Sequence[str]:
        """The next conversations after this name that have turns, in the order of their names."""
        ...


@runtime_checkable
class KnowsFiles(Protocol):
    """A store that can look up which files its turns have."""

    async def attached(self, hashes: Sequence[str]) -> set[str]:
        """The `hashes` (at most 500) that are among the `contents` of some turn."""
        ...
