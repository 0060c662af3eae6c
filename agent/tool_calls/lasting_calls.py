"""LastingCalls: calls in the background of one room that the next worker makes again."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Final

from agent.history.errors import HistoryError
from agent.history.made_calls import KeptCall
from agent.tasks import Tasks

if TYPE_CHECKING:
    from agent.history.history import History

logger = logging.getLogger(__name__)

MAX_ARGUMENTS: Final = 65_536
"""Characters of the arguments of a call that is kept."""

RESUMED_WITHIN: Final = 3_600.0
"""Seconds after the time of a call was over after which nobody waits for its result any more."""

MAX_ATTEMPTS: Final = 3
"""Restarts after which a call is not made again: perhaps it is their cause."""

WRITTEN_WITHIN: Final = 2.0
"""Seconds for the last writes when the agent leaves, or its room is created again."""

RETRIED_AFTER: Final = 20.0
"""Seconds after which a call is tried once more that was another room's, or that the database
failed for: a dead agent's lease has ended by then (see sql_leases.LONGEST)."""


class LastingCalls:
    """Keeps the calls of tools that survive a restart, from their going to the background until
    their results are told.

    Failures of the database are logged: such a call may be lost with its worker.

    Args:
        agent: the agent's identity.

    Attributes:
        conversation: its name in the history; set once the room is complete.
        sid: the room's; set then, and by `move`.
    """

    def __init__(self, history: History, agent: str) -> None:
        self.conversation = ""
        self.sid = ""
        self._history = history
        self._agent = agent
        self._telling: dict[str, str] = {}
        """Keys of calls whose results are being told, by segment id."""
        self._waiting: list[str] = []
        """Keys of calls that are to be made again, as soon as fewer others run, or to be tried once
        more."""
        self._is_used = False
        self._resuming = Tasks()
        self._writes = Tasks()

    def keep(self, call: KeptCall) -> None:
        """A call goes on in the background; the next worker makes it again."""
        if len(call.arguments) > MAX_ARGUMENTS:
            logger.warning(
                "call of %s will not survive a restart: its arguments are too long", call.tool
            )
            return
        self._write(self._history.made_calls.keep(call))

    async def claim(self, call: KeptCall) -> bool:
        """Whether this room may repeat the call; no other room then does.

        Raises:
            HistoryError: the database cannot be used now.
        """
        return await self._history.made_calls.claim(call, self.sid)

    def drop(self, key: str) -> None:
        """The next worker does not make the call again."""
        self._write(self._history.made_calls.drop(key))

    def telling(self, key: str, attempt: int) -> str:
        """The result of a call is about to be told; returns the id of that answer."""
        segment_id = _segment_id(key, attempt)
        self._telling[segment_id] = key
        return segment_id

    def told(self, segment_id: str) -> None:
        """An answer has ended, and is stored."""
        if (key := self._telling.pop(segment_id, None)) is not None:
            self.drop(key)

    async def move(self, sid: str) -> None:
        """Moves the calls to the room that the server has created again under the same name."""
        former, self.sid = self.sid, sid
        if self._is_used and former != sid:
            # After what was noted for the former one; writes take effect in their order.
            move = self._history.made_calls.move(self.conversation, former, sid)
            await asyncio.wait((self._write(move),), timeout=WRITTEN_WITHIN)

    def resume(self, make: Callable[[KeptCall], Awaitable[bool]]) -> None:
        """Repeats the calls that a former worker left, once the database is available. Call it only
        if a tool survives.

        Args:
            make: says whether this room makes the call, or has dropped it; may raise HistoryError.
        """
        self._is_used = True
        self._resuming.start(self._resume(make), name="calls of a former worker")

    async def aclose(self, *, is_over: bool) -> None:
        """The agent leaves.

        Args:
            is_over: no other one comes, so that nothing is made again.
        """
        await self._resuming.aclose()
        self._telling.clear()
        try:
            async with asyncio.timeout(WRITTEN_WITHIN):
                if is_over and self._is_used:
                    await self._history.made_calls.drop_held(self.conversation, self.sid)
                    for key in self._waiting:
                        # Perhaps another room of the conversation makes it.
                        self._write(self._history.made_calls.drop_free(key, self.sid))
                await self._writes.ended()
        except (HistoryError, TimeoutError) as error:
            logger.warning("surviving calls not stored: %s", error or "it takes too long")
        await self._writes.aclose()

    async def _resume(self, make: Callable[[KeptCall], Awaitable[bool]]) -> None:
        only: Collection[str] | None = None
        try:
            for pause in (0.0, RETRIED_AFTER):
                await asyncio.sleep(pause)
                await self._history.available()
                try:
                    only = await self._make_again(make, only)
                except HistoryError as error:
                    logger.warning("calls of a former worker not read: %s", error)
                    self._waiting.clear()
                if only is not None and not only:
                    return
        except Exception:
            self._waiting.clear()
            raise

    async def _make_again(
        self, make: Callable[[KeptCall], Awaitable[bool]], only: Collection[str] | None
    ) -> set[str]:
        """The keys of those calls that cannot be made now.

        Args:
            only: keys of the calls that are meant; None: all.
        """
        kept = await self._history.made_calls.kept(self.conversation)
        calls = [call for call in kept if only is None or call.key in only]
        self._waiting = [call.key for call in calls]
        refused: set[str] = set()
        for call in calls:
            try:
                is_settled = await self._was_told(call) or await make(call)
            except HistoryError as error:
                logger.warning("call of %s not repeated after a restart: %s", call.tool, error)
                is_settled = False
            if is_settled:
                self._waiting.remove(call.key)
            else:
                refused.add(call.key)
        return refused

    async def _was_told(self, call: KeptCall) -> bool:
        asker = call.thread.owner or self._agent
        segment_id = _segment_id(call.key, call.attempt)
        found = await self._history.find(call.thread.room, segment_id, asker=asker)
        if any(each.finish_reason is not None for each in found):
            self.drop(call.key)
            return True
        return False

    def _write(self, write: Awaitable[None]) -> asyncio.Task[None]:
        async def attempt() -> None:
            try:
                await write
            except HistoryError as error:
                logger.warning("surviving calls not stored: %s", error)

        return self._writes.start(attempt(), name="note of a call in the background")


def is_late(call: KeptCall, timeout: float) -> bool:
    """Whether nobody waits for a call any more that may take so many seconds."""
    return time.time() - call.begun_at / 1000 > timeout + RESUMED_WITHIN


def _segment_id(key: str, attempt: int) -> str:
    """The id of the answer that tells a result, the same for whoever looks for it."""
    return f"SG_{hashlib.sha256(f'{key} {attempt}'.encode()).hexdigest()[:16]}"
