"""OwnTurns: calls to a store of the app, bounded and in order, and its turns as messages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakValueDictionary

from agent.history.cursor import encode_cursor
from agent.history.errors import NotFoundError, RejectedError, UnavailableError
from agent.history.message import Message, MessageKey, Reaction, ThreadKey
from agent.history.position import answer_position, message_position
from agent.telemetry.code_place import code_place

if TYPE_CHECKING:
    from agent.history.turn_store import StoredTurn, TurnStore

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

CALL_TIMEOUT: Final = 10.0
"""Seconds that a call of the store may take."""

BATCH: Final = 200
"""Turns that are read at a time."""

LOOKED_THROUGH: Final = 10_000
"""Turns of a thread that are looked through, the newest first."""

EVERYTHING: Final = 2**62
"""The value that means all turns."""


class OwnTurns:
    """Args:
        log_content: whether exceptions of the store are logged whole. Drivers quote the values to
            be written in them; otherwise only type and place of the error are logged.

    Attributes:
        works: whether the store worked when it was last used.
    """

    def __init__(self, store: TurnStore, *, log_content: bool = False) -> None:
        self.store = store
        self.works = True
        self._log_content = log_content
        self._locks: WeakValueDictionary[ThreadKey, asyncio.Lock] = WeakValueDictionary()

    def lock(self, thread: ThreadKey) -> asyncio.Lock:
        """Held while turns of a thread are changed: in the order of the calls."""
        lock = self._locks.get(thread)
        if lock is None:
            lock = self._locks[thread] = asyncio.Lock()
        return lock

    async def use(self, call: Awaitable[Result]) -> Result:
        """Waits for a call of the store.

        Raises:
            RejectedError: the store raised it.
            UnavailableError: it raised anything else, or timed out.
        """
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                result = await call
        except RejectedError as error:
            self.works = True
            self._log(error, "the store of the app refused a call")
            raise RejectedError("refused by the store of the app") from self._cause(error)
        except Exception as error:
            # The boundary of the app's code: whatever it raises, rooms go on without it.
            if self.works:
                self._log(error, "the store of the app failed")
            self.works = False
            name = type(error).__name__
            raise UnavailableError(f"the store of the app: {name}") from self._cause(error)
        self.works = True
        return result

    def _log(self, error: Exception, what: str) -> None:
        whole = error if self._log_content else None
        logger.error("%s: %s%s", what, type(error).__name__, code_place(error), exc_info=whole)

    def _cause(self, error: Exception) -> Exception | None:
        """The part of an exception that may be logged when its HistoryError is handled."""
        return error if self._log_content else None

    async def of_thread(
        self, thread: ThreadKey, *, before: int | None = None, most: int = LOOKED_THROUGH
    ) -> AsyncIterator[StoredTurn]:
        """The turns of a thread, the newest first."""
        while most > 0:
            limit = min(BATCH, most)
            turns = await self.use(self.store.newest(thread, before, limit))
            for turn in turns:
                yield turn
            if len(turns) < limit:
                return
            before = turns[-1].number
            most -= limit

    async def threads(self, conversation: str) -> Sequence[ThreadKey]:
        """The threads of a conversation, the room's first."""
        found = await self.use(self.store.threads(conversation))
        return sorted(found, key=lambda thread: thread.owner or "")

    async def having(self, message: MessageKey) -> StoredTurn:
        """The turn of a message or an answer that was not deleted.

        Raises:
            NotFoundError: there is none.
        """
        turn = await self.use(self.store.load(message))
        if turn is None:
            async for each in self.of_thread(message.thread):
                if each.answer is not None and each.answer.key == message:
                    turn = each
                    break
        if turn is None or message.id in turn.erased:
            raise NotFoundError("There is no such message.")
        return turn


def readable(turn: StoredTurn) -> tuple[Message, ...]:
    """The message and the answer of a turn as people read them, neither deleted nor unfinished."""
    return tuple(
        as_read(turn, each)
        for each in turn.messages
        if each.id not in turn.erased and (each.role == "user" or each.finish_reason is not None)
    )


def as_read(turn: StoredTurn, message: Message) -> Message:
    """A message with its position, its cursor and its reactions by emoji."""
    question = message_position(turn.number)
    position = question if message.role == "user" else answer_position(question)
    assert position is not None  # noqa: S101 - the question's is known
    by_emoji: dict[str, list[str]] = {}
    for each in message.reactions:
        by_emoji.setdefault(each.emoji, []).extend(each.identities)
    return replace(
        message,
        position=position,
        cursor=encode_cursor(message.thread, position),
        reactions=tuple(Reaction(emoji, tuple(who)) for emoji, who in by_emoji.items()),
    )


def without_content(message: Message) -> Message:
    """The remains of a deleted message."""
    return replace(
        message,
        text="",
        sender_name="",
        awaits_answer=False,
        parts=None,
        attachments=(),
        reactions=(),
    )
