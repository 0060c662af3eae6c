"""OwnSummaries: the summaries of threads, where a store of an app's own keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.history.errors import NotFoundError
from agent.history.message import Summary
from agent.history.turn_store import KeepsSummaries

if TYPE_CHECKING:
    from agent.history.message import ThreadKey
    from agent.history.own_turns import OwnTurns
    from agent.history.turn_store import StoredTurn


class OwnSummaries:
    """Keeps nothing, and finds nothing, where the store keeps no summaries."""

    def __init__(self, turns: OwnTurns) -> None:
        self._turns = turns
        self._store = turns.store if isinstance(turns.store, KeepsSummaries) else None

    async def of(self, thread: ThreadKey) -> Summary | None:
        """The summary of a thread."""
        if self._store is None:
            return None
        text = await self._turns.use(self._store.load_summary(thread))
        if text is None:
            return None
        import msgspec  # noqa: PLC0415 - not needed for the types

        return msgspec.json.decode(text, type=Summary)

    async def keep(self, thread: ThreadKey, summary: Summary) -> None:
        """Keeps it in place of the one before."""
        if self._store is not None:
            import msgspec  # noqa: PLC0415 - as above

            text = msgspec.json.encode(summary).decode()
            await self._turns.use(self._store.save_summary(thread, text))

    async def forget(self, thread: ThreadKey) -> bool:
        """Drops it; returns whether there was one."""
        if self._store is None:
            return False
        had = await self._turns.use(self._store.load_summary(thread)) is not None
        if had:
            await self._turns.use(self._store.save_summary(thread, None))
        return had

    async def drop(self, thread: ThreadKey, *, changed: StoredTurn) -> None:
        """Drops it if it may mention a turn that changes."""
        summary = await self.of(thread)
        if summary is None:
            return
        try:
            last = await self._turns.having(summary.through)
        except NotFoundError:
            await self.forget(thread)
            return
        if last.number >= changed.number:
            await self.forget(thread)
