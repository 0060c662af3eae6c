"""Eraser: erases somebody's data wherever it is stored, and counts it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from agent.contract.answers import ErasedCounts
from agent.data.board import Board
from agent.files.content_erasure import erase_contents
from agent.files.store import FileStore
from agent.history.conversation_name import room_of
from agent.history.erasure import Erased, Subject
from agent.history.errors import UnavailableError
from agent.history.history import History

PAGE: Final = 500
"""Conversations whose boards are looked through between two questions to the database."""

ATTEMPTS: Final = 5
"""Attempts to write a board that an agent is writing, too."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Counts of erased data.

    Attributes:
        contents: files on disk that no message refers to any more.
    """

    erased: Erased
    contents: int

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(self.erased + other.erased, self.contents + other.contents)

    def as_json(self) -> ErasedCounts:
        """Counts by their names on the wire."""
        erased = self.erased
        return {
            "messages": erased.messages,
            "threads": erased.threads,
            "summaries": erased.summaries,
            "reactions": erased.reactions,
            "feedback": erased.feedback,
            "files": erased.files,
            "contents": self.contents,
            "boards": erased.boards,
            "states": erased.states,
        }


class Eraser:
    """Erases from the history, the whiteboards and the files. Safe to repeat after a failure.

    Args:
        forget: drops cached contents with these hashes.
    """

    def __init__(
        self,
        history: History,
        store: FileStore,
        forget: Callable[[frozenset[str]], None] = lambda _: None,
    ) -> None:
        self._history = history
        self._store = store
        self._forget = forget

    async def erase(self, subject: Subject) -> Receipt:
        """Erases all that there is of a subject. Raises HistoryError or OSError."""
        erased = Erased()
        if subject.identity is not None:
            erased += Erased(boards=await self._erase_drawings(subject, subject.identity))
        return await self._with_contents(erased + await self._history.erase(subject))

    async def expire(self, before: int, *, batch: int, pause: float) -> Receipt:
        """Erases data stored before a time, as History.expire does. Raises as `erase` does."""
        return await self._with_contents(
            await self._history.expire(before, batch=batch, pause=pause)
        )

    async def _with_contents(self, erased: Erased) -> Receipt:
        self._forget(erased.contents)
        contents = await erase_contents(
            self._store, self._history.attached_content, sorted(erased.contents)
        )
        return Receipt(erased, contents)

    async def _erase_drawings(self, subject: Subject, identity: str) -> int:
        """Removes a participant's drawings from whiteboards; returns how many boards changed."""
        # As it stands in the JSON of an element or an operation, so that most boards are not read.
        mark = json.dumps(identity, ensure_ascii=False)
        count = 0
        async for name in self._boards(subject):
            for _ in range(ATTEMPTS):
                written = await self._erase_drawing(name, identity, mark)
                if written is not False:
                    count += bool(written)
                    break
            else:
                raise UnavailableError("a whiteboard keeps changing")
        return count

    async def _erase_drawing(self, name: str, identity: str, mark: str) -> bool | None:
        """True: erased; False: the board changed in between; None: it has nothing of theirs."""
        kept = await self._history.boards.load(name)
        if mark not in kept.snapshot and not any(mark in each for each in kept.operations):
            return None
        board = Board()
        await asyncio.to_thread(board.restore, kept.sequence, kept.snapshot, kept.operations)
        stored = board.sequence
        board.remove_of(identity)
        return await self._history.boards.replace(name, stored, board.sequence, board.snapshot())

    async def _boards(self, subject: Subject) -> AsyncIterator[str]:
        """The conversations that have a board, as far as the subject is about them."""
        if subject.conversation is not None:
            yield subject.conversation
            return
        last = ""
        while names := await self._history.boards.names(last, PAGE):
            for name in names:
                if subject.room is None or room_of(name) == subject.room:
                    yield name
            last = names[-1]
