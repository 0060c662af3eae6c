"""SqlEraser: erases in many short transactions, so that rooms write in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from agent.history import sql_erasure
from agent.history.erasure import Erased, Subject
from agent.history.sql_erasure import BATCH

if TYPE_CHECKING:
    from agent.history.database import Database
    from agent.history.group_commit import GroupCommit

Item = TypeVar("Item")


class SqlEraser:
    """Implements `History.erase` and `History.expire`."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database = database
        self._commits = commits

    async def erase(self, subject: Subject) -> Erased:
        await self._commits.run(partial(sql_erasure.erase_token_usage, subject=subject))
        await self._commits.run(partial(sql_erasure.erase_events, subject=subject))
        names = await self._database.read(partial(sql_erasure.conversations_of, subject=subject))
        erased = Erased()
        if names is None:
            return await self._erase_in(subject.identity, None)
        for some in _batches(names):
            erased += await self._erase_in(subject.identity, some)
        return erased

    async def expire(self, before: int, *, batch: int, pause: float) -> Erased:
        total = Erased()
        after: int | None = 0
        while after is not None:
            work = partial(sql_erasure.expire_messages, before=before, after=after, limit=batch)
            erased, after = await self._commits.run(work)
            total += erased
            await asyncio.sleep(pause)
        rest = partial(sql_erasure.expire_rest, before=before, limit=batch)
        while True:
            erased = await self._commits.run(rest)
            total += erased
            if erased.threads + erased.boards < batch:
                return total
            await asyncio.sleep(pause)

    async def _erase_in(self, identity: str | None, names: Sequence[str] | None) -> Erased:
        erased = Erased()
        after: int | None = 0
        while after is not None:
            positions, after = await self._database.read(
                partial(sql_erasure.find_messages, identity=identity, names=names, after=after)
            )
            for some in _batches(positions):
                erased += await self._commits.run(
                    partial(sql_erasure.erase_messages, positions=some)
                )
        if identity is not None:
            erased += await self._commits.run(
                partial(sql_erasure.erase_opinions, identity=identity, names=names)
            )
        erased += await self._commits.run(
            partial(sql_erasure.erase_threads, identity=identity, names=names)
        )
        if identity is None and names is not None:
            erased += await self._commits.run(partial(sql_erasure.erase_boards, names=names))
        return erased


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
