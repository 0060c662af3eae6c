"""MessageList: the messages of a room as one person sees them, in order and without duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from agent.client.former_versions import FormerVersions
from agent.client.message import Key, Message


class MessageList:
    """Sorted by position; messages without one come last, in order of arrival."""

    def __init__(self) -> None:
        self._messages: dict[Key, Message] = {}
        self._former: dict[Key, FormerVersions] = {}
        """By question."""
        self._before_parts: dict[Key, Message] = {}
        """Answers as they were before parts came that may be the next one's."""
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
        former = self._messages.get(message.key)
        self._messages[message.key] = message
        if former is not None and message.role == "user":
            message.versions = former.versions
            self._note_text(message, former.text)
        elif former is not None:
            self._note_answer(message, former)
        self.changed(message)
        return message

    def ended(self, message: Message) -> None:
        """An answer has ended."""
        if self._messages.get(message.key) is message:
            self._note_end(message)
        self.changed(message)

    def parts_begin(self, message: Message) -> None:
        """Parts of an answer begin: of one that has ended, they are the next one's, or its own last
        ones."""
        if message.finish_reason is not None:
            self._before_parts.setdefault(message.key, replace(message))

    def parts_end(self, message: Message) -> None:
        """The next answer's text has begun by now; else they were this one's."""
        self._before_parts.pop(message.key, None)

    def remove(self, message: Message) -> None:
        """Removes a message that was deleted."""
        message.deleted = True
        self._messages.pop(message.key, None)
        self._before_parts.pop(message.key, None)
        self._former.pop(message.key, None)
        question = self._question_of(message)
        if question is not None and self._former.pop(question.key, None) is not None:
            question.versions = ()
            self.changed(question)
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
        """Does what a notice of the agent's says of messages; others change nothing. A text that
        does not fit into the notice of its edit is its beginning."""
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
                former, message.text = message.text, str(notice.get("newText", ""))
                self._note_text(message, former)
                self.changed(message)
        if event == "thread.deleted":
            self.remove_thread(thread)
        elif event == "author.erased":
            self.remove_author(thread, str(author))

    def changed(self, message: Message) -> None:
        """Notifies the watchers."""
        for watcher in tuple(self._watchers):
            watcher(message)

    def _note_text(self, question: Message, former: str) -> None:
        """Keeps the former text of a question, if it has got another one."""
        if question.role == "user" and question.text != former:
            answers = (each for each in self._messages.values() if self._is_answer(each, question))
            self._versions_of(question).edited(former, next(answers, None))
            self._show_versions(question)

    def _note_answer(self, answer: Message, former: Message) -> None:
        """Keeps a whole answer that another one replaces."""
        has_ended = former.finish_reason is not None
        if has_ended and (answer.finish_reason is None or answer.text != former.text):
            before = self._before_parts.pop(answer.key, former)
            question = self._question_of(answer)
            if question is not None:
                self._versions_of(question).begun(question.text, before)
                self._show_versions(question)
        elif has_ended:
            return
        if answer.finish_reason is not None:
            self._note_end(answer)

    def _note_end(self, answer: Message) -> None:
        question = self._question_of(answer)
        if question is not None:
            self._versions_of(question).ended(question.text, answer)
            self._show_versions(question)

    def _show_versions(self, question: Message) -> None:
        versions = self._versions_of(question).items
        if versions != question.versions:
            question.versions = versions
            self.changed(question)

    def _versions_of(self, question: Message) -> FormerVersions:
        return self._former.setdefault(question.key, FormerVersions())

    def _question_of(self, answer: Message) -> Message | None:
        if answer.role != "assistant" or answer.in_reply_to is None:
            return None
        key = answer.thread, answer.in_reply_to_sender or "", answer.in_reply_to
        return self._messages.get(key)

    @staticmethod
    def _is_answer(message: Message, question: Message) -> bool:
        return (message.role, message.thread, message.in_reply_to_sender, message.in_reply_to) == (
            "assistant",
            *question.key,
        )


def _order(message: Message) -> tuple[bool, int]:
    return message.position is None, message.position or 0
