"""Context: the messages and answers of one conversation, as the model reads them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from livekit.agents import llm

from agent.chat.question import Turn
from agent.chat.turns import BYTES_PER_TOKEN, Turns, tokens_in
from agent.chat.user_message import user_message, with_author
from agent.inbox.message import IncomingMessage, Key
from agent.tool_calls.result_budget import ResultBudget

CUT_TO = 0.75
SUMMARISED_AT = 0.875
FOR_RESULTS = 0.25
FOR_NOTES = 0.5
"""Shares of the limits. FOR_RESULTS is the least that tool results may take in an answer, and
FOR_NOTES the most that notes with results may take, so that they survive the next cut."""

UNASKED = ""
"""Stands for the sender in the keys of turns that nobody's message begins."""

SUMMARY = "[What was said before, in a summary of yours:]"

MAX_NOTES = 20
"""Notes that the model gets with the next message; beyond that, the oldest are left out."""


@dataclass(frozen=True, slots=True)
class ContextLimits:
    """The limits of the context.

    Attributes:
        items: messages, answers, tool calls and their results.
        tokens: estimated tokens of all of them.
    """

    items: int
    tokens: int

    @property
    def restored(self) -> int:
        """Items of earlier stays: the rest is for new ones."""
        return int(self.items * CUT_TO)


class Context:
    """Turns, oldest first: a message, and the model's answer and tool calls.

    A turn keeps its place when its message is edited or answered again.
    All messages name their authors once more than one person has written.

    Args:
        limits: beyond them, the oldest turns are dropped, down to three quarters of the limits, so
            that this is not due at every message. A summary takes their place.
    """

    def __init__(self, limits: ContextLimits) -> None:
        self.limits = limits
        self._turns = Turns()
        self._summary = ""
        self._summary_tokens = 0
        self._is_cut = False
        self._told = 0
        self._speakers: set[str] = set()
        self._notes: deque[str] = deque(maxlen=MAX_NOTES)

    @property
    def wants_summary(self) -> bool:
        """Whether turns without a summary have been dropped, or soon will be."""
        if not self._told and self._is_cut:
            return True
        return 2 * self._told < len(self._turns) and self._fill >= SUMMARISED_AT

    @property
    def result_bytes(self) -> int:
        """Bytes of tool results that the next answer has room for."""
        return max(self._left, self._for_results) * BYTES_PER_TOKEN

    def summarising(self) -> None:
        """Notes that a summary of all current turns is being made."""
        self._told = max(len(self._turns), 1)

    def summarise(self, summary: str) -> None:
        """Gives the model a summary, which also covers the time before the oldest turn."""
        self._summary = summary
        self._summary_tokens = tokens_in(summary)

    def forget_summary(self) -> None:
        """Drops the summary: it may mention something that was deleted."""
        self.summarise("")
        self._told = 0

    def restore(self, turns: Iterable[Turn], *, is_whole: bool, summary: str = "") -> None:
        """Inserts the restored turns before all others."""
        self._is_cut = not is_whole
        self.summarise(summary)
        turns = tuple(turns)
        self._count_speakers(turn.message for turn in turns if not turn.message.is_own)
        later, self._turns = self._turns, Turns()
        for turn in turns:
            read = () if turn.message.is_own else (self._read(turn.message),)
            answer = [llm.ChatMessage(role="assistant", content=[turn.answer])]
            self._turns.put(_key(turn.message), [*read, *(answer if turn.answer else ())])
        for key in later:
            self._turns.drop(key)
            self._turns.put(key, later[key])
        self._cut()

    def note(self, message: IncomingMessage) -> llm.ChatMessage:
        """Adds a message without an answer, or replaces it in its place; returns the item."""
        read = self._read(message)
        self._turns.put(_key(message), [read])
        self._cut()
        return read

    def tell(self, text: str) -> None:
        """Adds a note for the model, in brackets, to the next message that it answers."""
        self._notes.append(f"[{text}]")

    def tell_result(self, told: str, result: str) -> None:
        """Adds a note with a result, cut to half of what the notes may still have, so that a
        further one has room."""
        left = max(self._left + self._note_tokens, self._for_results)
        notes = min(left, int(FOR_NOTES * self.limits.tokens))
        room = max(notes - self._note_tokens, 0) // 2
        self.tell(f"{told}\n{ResultBudget(room * BYTES_PER_TOKEN).fit(result)}")

    def say_own(self, message: IncomingMessage) -> llm.ChatMessage:
        """Makes a place for an unasked answer; the instruction, as it is
        read."""
        self._turns.put(_key(message), [])
        return llm.ChatMessage(role="user", content=[f"[{message.text}]"])

    def before(self, message: IncomingMessage) -> llm.ChatContext:
        """All turns before a message's own, or simply all."""
        if not message.is_own:
            self._count_speakers([message])
        if self._notes:
            told = llm.ChatMessage(role="user", content=["\n".join(self._notes)])
            # In a turn of its own: nobody's, with an id that no other has.
            self._turns.put((UNASKED, told.id), [told])
            self._notes.clear()
            self._cut(keep=_key(message))
        items = self._turns.before(_key(message))
        if self._is_cut and self._summary:
            text = f"{SUMMARY}\n{self._summary}"
            first = min((item.created_at for item in items), default=time.time())
            # In the order of their making, which the session puts items into.
            summary = llm.ChatMessage(role="user", content=[text], created_at=first - 1)
            items.insert(0, summary)
        return llm.ChatContext(items)

    @property
    def items(self) -> list[llm.ChatItem]:
        """All turns, oldest first."""
        return [item for key in self._turns for item in self._turns[key]]

    def said_about(self, message: Key) -> Sequence[llm.ChatItem]:
        """The model's words and calls for a message, as far as they are still known."""
        return self._turns[message][1:] if message in self._turns else ()

    def end(self, message: IncomingMessage, said: Iterable[llm.ChatItem]) -> None:
        """Adds the model's messages and calls; nothing if the message was removed meanwhile."""
        if _key(message) in self._turns:
            question = self._turns[_key(message)][: 0 if message.is_own else 1]
            self._turns.put(_key(message), [*question, *said])
            self._cut()

    def leave_out(self, message: IncomingMessage) -> None:
        """Drops a message that the model service refuses: it would refuse every later request that
        contains it."""
        self._turns.drop(_key(message))

    def revise(self, message: IncomingMessage) -> None:
        """Gives a message another text; its answer is dropped."""
        self.forget_summary()
        if _key(message) in self._turns:
            self.note(message)

    def remove(self, key: Key) -> None:
        """Drops a message with its answer."""
        self.forget_summary()
        self._turns.drop(key)

    def remove_answer(self, key: Key) -> None:
        """Drops the answer to a message."""
        self.forget_summary()
        if key in self._turns:
            self._turns.put(key, self._turns[key][:1])

    def remove_author(self, identity: str) -> None:
        """Drops a participant's messages with their answers, and the notes about the room."""
        for key in list(self._turns):
            # Notes are turns of nobody; they may name anybody.
            if key[0] in {identity, ""}:
                self._turns.drop(key)
        self._notes.clear()
        self.forget_summary()

    def clear(self) -> None:
        """Drops all turns."""
        self._turns = Turns()
        self._notes.clear()
        self.forget_summary()
        self._is_cut = False

    def _read(self, message: IncomingMessage) -> llm.ChatMessage:
        self._count_speakers([message])
        return user_message(message, authored=self._names_authors)

    @property
    def _names_authors(self) -> bool:
        return len(self._speakers) > 1

    def _count_speakers(self, messages: Iterable[IncomingMessage]) -> None:
        """With the second person who writes, all turns so far name their authors, too."""
        named_before = self._names_authors
        self._speakers.update(message.sender.identity for message in messages)
        if self._names_authors and not named_before:
            for key in self._turns:
                self._turns.put(key, map(with_author, self._turns[key]))

    def _cut(self, *, keep: Key | None = None) -> None:
        """Drops the oldest turns where the limits are exceeded, but not the newest one, and not the
        one to `keep`."""
        if self._fill <= 1:
            return
        for key in list(self._turns)[:-1]:
            if key == keep:
                continue
            self._turns.drop(key)
            self._is_cut = True
            self._told = max(self._told - 1, 0)
            if self._fill <= CUT_TO:
                return

    @property
    def _left(self) -> int:
        """Tokens that the limit leaves; below zero where it is exceeded."""
        used = self._turns.tokens + self._summary_tokens + self._note_tokens
        return self.limits.tokens - used

    @property
    def _note_tokens(self) -> int:
        """Tokens of the notes that come with the next message."""
        return sum(map(tokens_in, self._notes))

    @property
    def _for_results(self) -> int:
        """Tokens that results may have at the least."""
        return int(FOR_RESULTS * self.limits.tokens)

    @property
    def _fill(self) -> float:
        """The share of the limits that is used."""
        tokens = self._turns.tokens + self._summary_tokens
        return max(self._turns.items / self.limits.items, tokens / self.limits.tokens)


def _key(message: IncomingMessage) -> Key:
    return (UNASKED, message.id) if message.is_own else message.key
