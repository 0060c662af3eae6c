"""ArrivalOrder: messages of one sender are taken in the order in which they began to arrive."""

from __future__ import annotations

import asyncio


class ArrivalSlot:
    """The place of one message among those of its sender."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def end(self) -> None:
        """Releases the next one."""
        self._over.set()

    async def ended(self) -> None:
        await self._over.wait()


class ArrivalOrder:
    """Queues of messages that are being read, one for each sender.

    Streams are read side by side, and the SDK reports the content of a later one before that of an
    earlier one now and then. A complete message waits for those before it, but only for a bounded
    time, which limits how long an unfinished one delays its sender's others.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._turns: dict[str, list[ArrivalSlot]] = {}

    def waiting(self, sender: str) -> int:
        """The number of a sender's messages that are being read."""
        return len(self._turns.get(sender, ()))

    def enter(self, sender: str) -> ArrivalSlot:
        """Takes the next place; `leave` it in any case."""
        turn = ArrivalSlot()
        self._turns.setdefault(sender, []).append(turn)
        return turn

    async def forerunners(self, sender: str, turn: ArrivalSlot) -> None:
        """Returns when the messages before this one are done, or the time is up."""
        turns = self._turns[sender]
        before = turns[: turns.index(turn)]
        try:
            async with asyncio.timeout(self._patience):
                for earlier in before:
                    await earlier.ended()
        except TimeoutError:
            return

    def leave(self, sender: str, turn: ArrivalSlot) -> None:
        """Gives the place up."""
        turn.end()
        turns = self._turns[sender]
        turns.remove(turn)
        if not turns:
            del self._turns[sender]
