"""History: the interface of a store of messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from agent.history.accounts import AccountStore
from agent.history.boards import Boards
from agent.history.erasure import Erased, Subject
from agent.history.leases import Leases
from agent.history.made_calls import MadeCalls
from agent.history.message import (
    Added,
    Answered,
    Attachment,
    Feedback,
    Message,
    MessageKey,
    Page,
    Summary,
    Thread,
    ThreadKey,
    Unanswered,
)
from agent.history.states import States
from agent.history.token_usage import TokenUsage

MAX_PAGE: Final = 200
"""Messages in a page."""

UNTOLD_FOR: Final = 3_600.0
"""Seconds after which nobody waits for the end of an answer any more."""

TITLE_LENGTH: Final = 80

MAX_UNANSWERED: Final = 1_000
"""Messages that are answered after a restart; beyond that, the newest wait for the next one."""


def title_of(first: str) -> str:
    """The title of a thread, by its first question."""
    return " ".join(first.split())[:TITLE_LENGTH]


class History(Protocol):
    """Keeps the messages of all rooms.

    `asker` is the identity on whose behalf something is read or changed; whatever is private to
    somebody else raises NotAllowedError, or is left out where several threads are looked through.
    Permissions within a thread are not decided here. Every write may be repeated:
    the second time changes nothing. Writes take effect in the order of the calls.

    Any method may raise UnavailableError: the database cannot be used now.
    """

    @property
    def boards(self) -> Boards:
        """The whiteboards, which are kept beside the messages."""
        ...

    @property
    def states(self) -> States:
        """The shared states of conversations, which are kept beside the messages."""
        ...

    @property
    def token_usage(self) -> TokenUsage:
        """The tokens of each day, which are counted beside the messages."""
        ...

    @property
    def accounts(self) -> AccountStore:
        """Usage, and events for webhooks."""
        ...

    @property
    def leases(self) -> Leases:
        """The worker process that answers in each room."""
        ...

    @property
    def made_calls(self) -> MadeCalls:
        """The tool calls that were begun."""
        ...

    @property
    def healthy(self) -> bool:
        """Whether the database worked when it was last used, and nothing waits for it."""
        ...

    async def available(self) -> None:
        """Returns when the database can be used, as far as is known."""
        ...

    async def migrate(self) -> None:
        """Brings the database's schema up to date; several workers may do so at once.

        Raises:
            SchemaError: the database belongs to a newer version.
        """
        ...

    async def aclose(self) -> None:
        """Finishes writes in progress and closes the database."""
        ...

    async def add_message(self, message: Message) -> Added:
        """Stores a participant's message, before it is answered; or the beginning of an unasked
        answer, which has no question and no finish reason yet.

        The outcome is not new if there is, or once was, a message with its thread, sender and id:
        then it has been handled already, and nothing is changed.
        """
        ...

    async def begin_answer(self, answer: Message) -> Message:
        """Notes that a message is being answered, and under which segment id.

        Returns the answer that stands: the one given, or one that was begun before, by a worker
        that was interrupted or for an earlier version of the question. The answer goes out under
        the id of what is returned, unless that has a finish reason: then the question has been
        answered and awaits nothing more.
        """
        ...

    async def finish_answer(self, answer: Message) -> None:
        """Stores an answer with its finish reason; marks its question as answered.

        A question has one answer: a new one replaces the former. The answer to a message that was
        deleted meanwhile is dropped. An answer without a question is found by its own key.
        """
        ...

    async def page(
        self, thread: ThreadKey, *, asker: str, before: str | None = None, limit: int = 50
    ) -> Page:
        """The newest messages of a thread, or the newest before a cursor.

        Answers that have not ended are left out.

        Raises:
            InvalidValueError: a cursor that was not given out for this thread, or a limit that is
                not 1 to MAX_PAGE.
        """
        ...

    async def find(self, room: str, message_id: str, *, asker: str) -> tuple[Message, ...]:
        """The messages with an id that the asker may see, the oldest first, at most MAX_PAGE.

        There may be several, since an id is unique for its sender only.
        """
        ...

    async def find_attachment(
        self, room: str, file_id: str, *, asker: str
    ) -> tuple[Attachment, ThreadKey] | None:
        """A file of a message that the asker may see, with the thread of that message; or None."""
        ...

    async def attached_content(self, hashes: Sequence[str]) -> frozenset[str]:
        """The `hashes` (SHA-256, at most 500) that belong to files of messages."""
        ...

    async def stored_bytes(self, room: str) -> Mapping[str, int]:
        """The bytes of all files of a room's messages, private ones too, by who sent them. The same
        content counts as often as it was sent."""
        ...

    async def unanswered(self, room: str) -> tuple[Unanswered, ...]:
        """Unanswered messages in all threads of a room, oldest first, at most MAX_UNANSWERED.

        For the worker itself: it must answer each in its own thread.
        """
        ...

    async def answered(self, question: MessageKey) -> Answered | None:
        """A participant's message with its answer; None: there is none, or it is being made.

        For the worker itself: it must give it to those who may see the thread.
        """
        ...

    async def untold(self, room: str) -> tuple[Answered, ...]:
        """The answers of the last hour whose end perhaps nobody has seen, oldest first: a worker
        died between storing them and `end_told`. At most MAX_PAGE."""
        ...

    def end_told(self, answer: MessageKey) -> None:
        """Notes that the end of an answer went out. Never waits: it is written within a second,
        together with others; after a crash in that second the answer is sent once more."""
        ...

    async def threads(self, room: str, *, asker: str) -> tuple[Thread, ...]:
        """The threads of a room that the asker may see and that have messages, the room's first."""
        ...

    async def ask_again(
        self,
        question: MessageKey,
        *,
        asker: str,
        text: str | None = None,
        awaits_answer: bool = True,
    ) -> Unanswered:
        """Opens a participant's message for another answer, with another text if one is given.

        The former answer stays until the new one has ended, but feedback and reactions on it are
        deleted. Finish an answer in progress first. Returns the message as it is now, and the
        segment id for its new answer.

        Raises:
            NotFoundError: there is no such message of a participant.
        """
        ...

    async def delete_message(self, message: MessageKey, *, asker: str) -> tuple[MessageKey, ...]:
        """Erases a message and, of a question, its answer; returns the erased keys.

        Text, name, reactions and feedback are gone for good. That the id was used is remembered,
        so that a client's retry brings nothing back.

        Raises:
            NotFoundError: there is no such message.
        """
        ...

    async def delete_thread(self, thread: ThreadKey, *, asker: str) -> int:
        """Erases all messages of a thread as `delete_message` does; returns how many."""
        ...

    async def set_reaction(
        self, message: MessageKey, emoji: str, *, asker: str, present: bool = True
    ) -> None:
        """Puts the asker's reaction on a message, or takes it away.

        Raises:
            NotFoundError: there is no such message.
            InvalidValueError: an emoji of no or more than 64 characters.
        """
        ...

    async def set_feedback(self, message: MessageKey, feedback: Feedback) -> None:
        """Stores feedback on a message, in place of the participant's former one.

        Raises:
            NotFoundError: there is no such message.
            InvalidValueError: neither `up`, `down` nor a finite number, or a comment of more than
                4,000 characters.
        """
        ...

    async def erase(self, subject: Subject) -> Erased:
        """Erases somebody's or something's data for good, in transactions of a bounded size.

        Of a participant: private threads, messages with their answers, reactions and feedback, in
        all conversations unless the subject names some; boards are for the caller to look through.
        Without a participant, everything of the conversations. Safe to repeat after a failure.
        """
        ...

    async def expire(self, before: int, *, batch: int, pause: float) -> Erased:
        """Erases data stored before a time (ms since 1970), in batches of so many messages
        with `pause` seconds in between."""
        ...

    async def set_summary(self, thread: ThreadKey, summary: Summary) -> None:
        """Keeps the summary of a thread's earlier part, in place of the one before.

        It is dropped when a message in that part is edited, opened for another answer or deleted.

        Raises:
            NotFoundError: the message that it goes up to does not exist.
        """
        ...
