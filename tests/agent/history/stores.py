"""Stores of an app's own in memory: with what a store must have, and with all that it may have."""

from __future__ import annotations

from collections.abc import Sequence

from agent.history.message import MessageKey, ThreadKey
from agent.history.turn_store import StoredTurn


class LeastStore:
    """Keeps JSON, so that what is read is what a store of text would give back."""

    def __init__(self) -> None:
        self.turns: dict[MessageKey, str] = {}
        self.added = 0

    async def add(self, turn: StoredTurn) -> int | None:
        if turn.key in self.turns:
            return None
        self.added += 1
        self.turns[turn.key] = turn.with_number(self.added).to_json()
        return self.added

    async def save(self, turn: StoredTurn) -> None:
        assert turn.key in self.turns
        self.turns[turn.key] = turn.to_json()

    async def load(self, key: MessageKey) -> StoredTurn | None:
        text = self.turns.get(key)
        return None if text is None else StoredTurn.from_json(text)

    async def newest(
        self, thread: ThreadKey, before: int | None, limit: int
    ) -> Sequence[StoredTurn]:
        turns = (StoredTurn.from_json(self.turns[key]) for key in reversed(self.turns))
        found = [
            turn
            for turn in turns
            if turn.key.thread == thread and (before is None or turn.number < before)
        ]
        return found[:limit]

    async def threads(self, conversation: str) -> Sequence[ThreadKey]:
        return [thread for thread in self.all_threads() if thread.room == conversation]

    def all_threads(self) -> list[ThreadKey]:
        return list(dict.fromkeys(key.thread for key in self.turns))


class FullStore(LeastStore):
    def __init__(self) -> None:
        super().__init__()
        self.summaries: dict[ThreadKey, str] = {}

    async def save_summary(self, thread: ThreadKey, text: str | None) -> None:
        if text is None:
            del self.summaries[thread]
        else:
            self.summaries[thread] = text

    async def load_summary(self, thread: ThreadKey) -> str | None:
        return self.summaries.get(thread)

    async def remove(self, keys: Sequence[MessageKey]) -> None:
        for key in keys:
            self.turns.pop(key, None)

    async def conversations(self, after: str, limit: int) -> Sequence[str]:
        names = sorted({thread.room for thread in self.all_threads()})
        return [name for name in names if name > after][:limit]

    async def attached(self, hashes: Sequence[str]) -> set[str]:
        turns = map(StoredTurn.from_json, self.turns.values())
        kept = frozenset[str]().union(*(turn.contents for turn in turns))
        return set(hashes) & kept
