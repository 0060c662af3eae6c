"""MessageList: the messages of a room as one person sees them, in order and without duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ROOM = "room"


@dataclass(slots=True)
class Message:
    """A participant's message, or an answer of the agent. It changes while it arrives.

    Attributes:
        thread: `room`, or `private:` and your own identity.
        position: its place in the thread; None: not known yet.
        finish_reason: for an answer that has ended.
        parts: for an answer, its parts by id, as in the wire contract.
        deleted: whether it was deleted.
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


class MessageList:
    """Sorted by position; messages without one come last, in order of arrival."""

    def __init__(self) -> None:
        self._messages: dict[tuple[str, str, str], Message] = {}
        self._watchers: list[Callable[[Message], None]] = []

    def __iter__(self) -> Iterator[Message]:
        return iter(sorted(self._messages.values(), key=_order))

    def __len__(self) -> int:
        return len(self._messages)

    def on_change(self, watcher: Callable[[Message], None]) -> Callable[[], None]:
        """Calls it with each new or changed message; call the returned function to stop."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def find(self, message_id: str, sender_id: str | None = None) -> Message | None:
        """The newest message of an id, of a sender if one is given."""
        for message in reversed(self._messages.values()):
            if message.id == message_id and sender_id in {None, message.sender_id}:
                return message
        return None

    def put(self, message: Message) -> Message:
        """Adds a message, or replaces its former version."""
        self._messages[message.thread, message.sender_id, message.id] = message
        self.changed(message)
        return message

    def remove(self, message: Message) -> None:
        """Removes a message that was deleted."""
        message.deleted = True
        self._messages.pop((message.thread, message.sender_id, message.id), None)
        self.changed(message)

    def remove_thread(self, thread: str) -> None:
        """Removes all messages of a thread that was deleted."""
        for message in [each for each in self._messages.values() if each.thread == thread]:
            self.remove(message)

    def remove_author(self, thread: str, identity: str) -> None:
        """Removes somebody's messages from a thread, with the answers to them: they were erased."""
        for message in [each for each in self._messages.values() if each.thread == thread]:
            if identity in {message.sender_id, message.in_reply_to_sender}:
                self.remove(message)

    def apply(self, notice: Mapping[str, Any]) -> None:
        """Does what a notice of the agent's says of messages; others change nothing."""
        event, thread, author = (
            notice.get("event"),
            str(notice.get("thread")),
            notice.get("authorId"),
        )
        for each in notice.get("messageIds") or ():
            message = self.find(str(each), author)
            if message is not None and event == "message.deleted":
                self.remove(message)
            elif message is not None and event == "message.edited":
                message.text = str(notice.get("newText", ""))
                self.changed(message)
        if event == "thread.deleted":
            self.remove_thread(thread)
        elif event == "author.erased":
            self.remove_author(thread, str(author))

    def changed(self, message: Message) -> None:
        """Notifies the watchers."""
        for watcher in tuple(self._watchers):
            watcher(message)


def _order(message: Message) -> tuple[bool, int]:
    return message.position is None, message.position or 0
