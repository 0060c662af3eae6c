"""Context: what was said in one conversation, as the model reads it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import chain, takewhile

from livekit.agents import llm

from agent.chat.attached import user_message
from agent.chat.memory import Turn
from agent.chat.message import IncomingMessage, Key

MAX_NOTES = 20
"""Things that the model is told with the next message; beyond that, the oldest are left out."""


class Context:
    """Turns, oldest first: a message, and what the model said and did about it.

    A turn keeps its place when its message is edited or answered anew; what came after it stays
    after it. Messages name their author once more than one person has written.

    Args:
        max_items: of messages, answers and tool calls. Beyond it, the oldest turns are dropped,
            to three quarters of it, so that it need not be done with every message.
    """

    def __init__(self, max_items: int) -> None:
        self._max_items = max_items
        self._turns: dict[Key, list[llm.ChatItem]] = {}
        self._speakers: set[str] = set()
        self._notes: deque[str] = deque(maxlen=MAX_NOTES)

    def restore(self, turns: Iterable[Turn]) -> None:
        """Puts what was said in former times before everything else."""
        later, self._turns = self._turns, {}
        for turn in turns:
            self.note(turn.message)
            if turn.answer:
                answer = llm.ChatMessage(role="assistant", content=[turn.answer])
                self._turns[turn.message.key].append(answer)
        for key, items in later.items():
            self._turns.pop(key, None)
            self._turns[key] = items
        self._cut()

    def note(self, message: IncomingMessage) -> llm.ChatMessage:
        """Adds a message without an answer, or puts it anew in its own place; as it is read."""
        self._speakers.add(message.sender.identity)
        text = message.text
        if len(self._speakers) > 1:
            text = f"{message.sender.label}: {text}"
        read = user_message(text, message.attachments)
        self._turns[message.key] = [read]
        self._cut()
        return read

    def tell(self, text: str) -> None:
        """Has the model told something, in brackets, with the next message that it answers."""
        self._notes.append(f"[{text}]")

    def before(self, message: IncomingMessage) -> llm.ChatContext:
        """All turns before a message's own, or simply all."""
        if self._notes:
            told = llm.ChatMessage(role="user", content=["\n".join(self._notes)])
            # In a turn of its own: nobody's, with an id that no other has.
            self._turns["", told.id] = [told]
            self._notes.clear()
        before = takewhile(lambda turn: turn[0] != message.key, self._turns.items())
        return llm.ChatContext(list(chain.from_iterable(items for _, items in before)))

    def end(self, message: IncomingMessage, said: Iterable[llm.ChatItem]) -> None:
        """Adds what the model said and did; nothing if the message was removed meanwhile."""
        turn = self._turns.get(message.key)
        if turn is not None:
            turn[1:] = said
            self._cut()

    def revise(self, message: IncomingMessage) -> None:
        """Gives a message another text; what it was answered is dropped."""
        if message.key in self._turns:
            self.note(message)

    def remove(self, key: Key) -> None:
        """Drops a message with what it was answered."""
        self._turns.pop(key, None)

    def remove_answer(self, key: Key) -> None:
        """Drops what a message was answered."""
        if key in self._turns:
            del self._turns[key][1:]

    def clear(self) -> None:
        """Drops everything."""
        self._turns.clear()
        self._notes.clear()

    def _cut(self) -> None:
        size = sum(map(len, self._turns.values()))
        if size <= self._max_items:
            return
        for key in list(self._turns)[:-1]:
            size -= len(self._turns.pop(key))
            if size <= self._max_items * 3 // 4:
                return
