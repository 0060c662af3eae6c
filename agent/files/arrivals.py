"""Arrivals: files whose message, or whose bytes, came first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from agent.history.message import Attachment

MAX_PEOPLE: Final = 1_000
MAX_EACH: Final = 100
"""Files of one participant that are remembered for a message that names them."""


class Arrival:
    """A file that has come, is coming, or is named by a message before it comes."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()
        self._claimed = asyncio.Event()
        self._ended = asyncio.Event()
        self._attachment: Attachment | None = None

    def begin(self) -> None:
        """Notes that its stream has opened."""
        self._begun.set()

    def end(self, attachment: Attachment | None) -> None:
        """Notes that it is stored, or (None) never will be."""
        if not self._ended.is_set():
            self._attachment = attachment
            self._ended.set()

    def claim(self) -> None:
        """Notes that it belongs to a message."""
        self._claimed.set()

    async def wait(self, patience: float) -> Attachment | None:
        """The file when it is stored; None if it is not, or does not begin in so many seconds.

        Once it has begun, the limits of the stream bound the wait.
        """
        try:
            async with asyncio.timeout(patience):
                await self._begun.wait()
        except TimeoutError:
            return None
        await self._ended.wait()
        return self._attachment

    async def is_claimed(self, patience: float) -> bool:
        """Whether a message has claimed it, or claims it within so many seconds."""
        if not patience:
            return self._claimed.is_set()
        try:
            async with asyncio.timeout(patience):
                await self._claimed.wait()
        except TimeoutError:
            return False
        return True


class Arrivals:
    """The latest files of each participant, by the ids of their streams."""

    def __init__(self) -> None:
        self._people: OrderedDict[str, OrderedDict[str, Arrival]] = OrderedDict()

    def of(self, identity: str, stream_id: str) -> Arrival:
        """The arrival of a file; the first caller creates it."""
        arrivals = self._people.setdefault(identity, OrderedDict())
        arrival = arrivals.setdefault(stream_id, Arrival())
        if len(arrivals) > MAX_EACH:
            arrivals.popitem(last=False)
        if len(self._people) > MAX_PEOPLE:
            self._people.popitem(last=False)
        return arrival
