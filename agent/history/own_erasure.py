"""OwnErasure: erases turns from a store of the app, and the rest from the worker's database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from agent.history.conversation_name import room_of
from agent.history.erasure import Erased, Subject
from agent.history.errors import RejectedError
from agent.history.history import History
from agent.history.own_turns import EVERYTHING
from agent.history.turn_store import RemovesTurns

if TYPE_CHECKING:
    from agent.history.message import Message, ThreadKey
    from agent.history.own_summaries import OwnSummaries
    from agent.history.own_turns import OwnTurns
    from agent.history.turn_store import StoredTurn

PAGE: Final = 500
"""Conversations that are asked for at a time."""


class ClockedHistory(History, Protocol):
    """A history in a database, which has a clock."""

    async def ahead(self) -> int:
        """Ms by which the worker's clock is ahead of the database's; 0 if it is behind, and with
        SQLite, which has the machine's clock."""
        ...


class OwnErasure:
    """Implements `History.erase` and `History.expire`."""

    def __init__(self, turns: OwnTurns, summaries: OwnSummaries, rest: ClockedHistory) -> None:
        self._turns = turns
        self._store = turns.store if isinstance(turns.store, RemovesTurns) else None
        self._summaries = summaries
        self._rest = rest

    async def erase(self, subject: Subject) -> Erased:
        """Raises RejectedError if the store removes nothing; then nothing is erased."""
        if self._store is None:
            raise RejectedError("the store of the app has no remove and conversations")
        erased = await self._rest.erase(subject)
        async for name in self._names(self._store, subject):
            for thread in await self._turns.threads(name):
                erased += await self._erase_in(self._store, thread, subject.identity)
        return erased

    async def expire(self, before: int, *, batch: int, pause: float) -> Erased:
        """In a store that cannot remove turns, nothing expires.

        A worker's clock that is ahead of its database's erases nothing too early.
        """
        erased = await self._rest.expire(before, batch=batch, pause=pause)
        if self._store is None:
            return erased
        before -= await self._rest.ahead()
        async for name in self._names(self._store, None):
            for thread in await self._turns.threads(name):
                turns = [
                    turn
                    async for turn in self._turns.of_thread(thread, most=EVERYTHING)
                    if turn.stored_at < before
                ]
                for start in range(0, len(turns), batch):
                    erased += await self._remove(self._store, thread, turns[start : start + batch])
                    await asyncio.sleep(pause)
        return erased

    async def _names(self, store: RemovesTurns, subject: Subject | None) -> AsyncIterator[str]:
        if subject is not None and subject.conversation is not None:
            yield subject.conversation
            return
        after = ""
        while names := await self._turns.use(store.conversations(after, PAGE)):
            for name in names:
                if subject is None or subject.room is None or room_of(name) == subject.room:
                    yield name
            after = names[-1]

    async def _erase_in(
        self, store: RemovesTurns, thread: ThreadKey, identity: str | None
    ) -> Erased:
        erased = Erased()
        async with self._turns.lock(thread):
            turns = [turn async for turn in self._turns.of_thread(thread, most=EVERYTHING)]
            gone = [turn for turn in turns if _is_of(turn, identity)]
            erased += await self._remove(store, thread, gone)
            if identity is not None:
                for turn in turns:
                    if not _is_of(turn, identity):
                        erased += await self._erase_opinions(turn, identity)
            if gone and len(gone) == len(turns):
                erased += Erased(threads=1)
        return erased

    async def _erase_opinions(self, turn: StoredTurn, identity: str) -> Erased:
        def unlike(message: Message | None) -> Message | None:
            if message is None:
                return None
            kept = tuple(each for each in message.reactions if identity not in each.identities)
            return replace(message, reactions=kept)

        changed = replace(
            turn,
            question=unlike(turn.question),
            answer=unlike(turn.answer),
            opinions=tuple(each for each in turn.opinions if each.identity != identity),
        )
        if changed == turn:
            return Erased()
        await self._turns.use(self._turns.store.save(changed))
        return Erased(
            reactions=_reactions(turn) - _reactions(changed),
            feedback=len(turn.opinions) - len(changed.opinions),
        )

    async def _remove(
        self, store: RemovesTurns, thread: ThreadKey, turns: list[StoredTurn]
    ) -> Erased:
        if not turns:
            return Erased()
        had_summary = await self._summaries.forget(thread)
        await self._turns.use(store.remove([turn.key for turn in turns]))
        files = [file for turn in turns for each in turn.messages for file in each.attachments]
        return Erased(
            messages=sum(len(list(turn.messages)) for turn in turns),
            summaries=int(had_summary),
            reactions=sum(map(_reactions, turns)),
            feedback=sum(len(turn.opinions) for turn in turns),
            files=len(files),
            contents=frozenset(file.sha256 for file in files),
        )


def _is_of(turn: StoredTurn, identity: str | None) -> bool:
    """Whether a turn is a participant's; None: anybody's."""
    if identity is None or turn.key.thread.owner == identity:
        return True
    asked_by_them = turn.answer is not None and turn.answer.in_reply_to_sender == identity
    return asked_by_them or (turn.question is not None and turn.key.sender_id == identity)


def _reactions(turn: StoredTurn) -> int:
    return sum(len(each.reactions) for each in turn.messages)
