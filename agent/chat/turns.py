"""Turns: the items of a conversation by the message that they are about, counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from livekit.agents import llm

from agent.inbox.message import Key
from agent.models.completion import REASONING

BYTES_PER_TOKEN = 4
"""UTF-8 bytes per token, estimated: too low for English, about right for other scripts."""

TOKENS_PER_ITEM = 4


class Turns:
    """Turns, oldest first, with running counts of items and tokens.

    Attributes:
        items: messages, answers, tool calls and their results.
        tokens: estimated tokens of all of them.
    """

    def __init__(self) -> None:
        self._turns: dict[Key, tuple[tuple[llm.ChatItem, ...], int]] = {}
        self.items = 0
        self.tokens = 0

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._turns)

    def __contains__(self, key: Key) -> bool:
        return key in self._turns

    def __getitem__(self, key: Key) -> Sequence[llm.ChatItem]:
        return self._turns[key][0]

    def put(self, key: Key, items: Iterable[llm.ChatItem]) -> None:
        """Makes these the items of a turn, which keeps its place if there is one."""
        former, former_tokens = self._turns.get(key, ((), 0))
        turn = tuple(items)
        tokens = sum(map(tokens_of, turn))
        self._turns[key] = turn, tokens
        self.items += len(turn) - len(former)
        self.tokens += tokens - former_tokens

    def drop(self, key: Key) -> None:
        """Forgets a turn, if there is one."""
        dropped, tokens = self._turns.pop(key, ((), 0))
        self.items -= len(dropped)
        self.tokens -= tokens

    def before(self, key: Key) -> list[llm.ChatItem]:
        """The items of all turns before this one, or simply of all."""
        items: list[llm.ChatItem] = []
        for other, (turn, _) in self._turns.items():
            if other == key:
                break
            items += turn
        return items


def tokens_of(item: llm.ChatItem) -> int:
    """About how many tokens an item is to the model; files that go along are not counted."""
    if isinstance(item, llm.ChatMessage):
        texts = [each for each in item.content if isinstance(each, str)]
    elif isinstance(item, llm.FunctionCall):
        texts = [item.name, item.arguments, *item.extra.get(REASONING, {}).values()]
    elif isinstance(item, llm.FunctionCallOutput):
        texts = [item.name, item.output]
    else:
        texts = []
    return TOKENS_PER_ITEM + sum(map(tokens_in, texts))


def tokens_in(text: str) -> int:
    """About how many tokens a text is to the model."""
    return len(text.encode(errors="replace")) // BYTES_PER_TOKEN
