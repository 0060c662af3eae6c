"""Talk: what one person asks, and whether they get an answer, as a careful app asks."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from livekit import rtc

from agent.history.message import Message, ThreadKey
from agent.history.open_history import open_history
from agent.testing.history_samples import everything
from tests.agent.chat_client import ChatClient

GIVEN_UP: Final = 60.0
"""Seconds after which somebody who has no answer counts as left waiting."""

AGAIN: Final = 5.0
"""Seconds after which a message is sent again under its id, until it has its answer."""


STORED_WITHIN: Final = 35.0
"""Seconds after which an answer that is not in the database counts as lost: after an outage,
workers write behind their answers, and try every 30 s at least."""


@dataclass
class Figures:
    """The outcomes of the questions during one fault."""

    asked: int = 0
    once: int = 0
    twice: int = 0
    lost: int = 0
    failed: int = 0
    """Ended as `interrupted` or `error`, which their people were told."""
    waiting: int = 0
    seconds: list[float] = field(default_factory=list[float])

    def row(self, fault: str) -> str:
        slowest = max(self.seconds, default=0.0)
        return (
            f"| {fault} | {self.asked} | {self.once} | {self.failed} | {self.lost} "
            f"| {self.twice} | {self.waiting} | {slowest:.1f} s |"
        )


@dataclass
class Talk:
    """One person in one room.

    Attributes:
        come: joins the room, again if its connection has ended.
    """

    client: ChatClient
    come: Callable[[ChatClient], Awaitable[None]]
    asked: dict[str, float] = field(default_factory=dict[str, float])
    answered: dict[str, float] = field(default_factory=dict[str, float])
    _coming: asyncio.Task[None] | None = None

    async def aclose(self) -> None:
        if self._coming is not None:
            await asyncio.wait((self._coming,))
        await self.client.room.disconnect()

    async def ask(self, number: int, text: str) -> None:
        """Asks, again and again until there is an answer or it takes too long."""
        message = f"{self.client.me.identity}-{number}"
        packet = {"type": "chat", "id": message, "text": text, "ack": "stored"}
        self.asked[message] = time.monotonic()
        try:
            async with asyncio.timeout(GIVEN_UP):
                while not self.client.finished(message):
                    await self._try(packet)
        except TimeoutError:
            return
        self.answered[message] = time.monotonic() - self.asked[message]

    async def _try(self, packet: dict[str, str]) -> None:
        message = packet["id"]
        try:
            async with asyncio.timeout(AGAIN):
                if not self.client.room.isconnected():
                    await self._come_back()
                # It waits for as long as the SDK restores the connection.
                await self.client.send_packet(packet)
                await self.client.until(lambda: self.client.finished(message))
        except (TimeoutError, rtc.ConnectError, rtc.participant.PublishDataError):
            # Nothing tells when it is worth while: a careful app has a clock.
            await asyncio.sleep(0.1)

    async def _come_back(self) -> None:
        """Joins again, as apps do whose connection has ended for good."""
        if self._coming is None:
            self._coming = asyncio.create_task(self._join_again())
        coming = self._coming
        # Not cancelled with who waits: a native connect must end by itself.
        await asyncio.wait((coming,))
        self._coming = None
        coming.result()

    async def _join_again(self) -> None:
        client = ChatClient()
        client.answers, client.packets = self.client.answers, self.client.packets
        await self.come(client)
        self.client = client

    async def count(self, figures: Figures, database: str) -> None:
        """Adds what became of the questions, as their person and the database have it."""
        stored = await self._stored(database)
        kept = Counter(each.in_reply_to for each in stored if each.finish_reason)
        whole = {each.in_reply_to for each in stored if each.finish_reason == "stop"}
        for message in self.asked:
            segments = {each.attributes["lk.segment_id"] for each in self.client.finished(message)}
            twice = len(segments) > 1 or kept[message] > 1
            figures.asked += 1
            figures.twice += twice
            figures.lost += not kept[message]
            figures.waiting += message not in self.answered
            figures.failed += bool(kept[message]) and message not in whole
            figures.once += message in self.answered and message in whole and not twice
        figures.seconds += self.answered.values()

    async def _stored(self, database: str) -> list[Message]:
        """What the database has, once all questions have their answers there, or it takes too
        long."""
        history = open_history(database)
        stored: list[Message] = []
        try:
            async with asyncio.timeout(STORED_WITHIN):
                while True:
                    stored = await everything(history, ThreadKey(self.client.room.name))
                    if self.asked.keys() <= {
                        each.in_reply_to for each in stored if each.finish_reason
                    }:
                        break
                    # Nothing tells when workers have written what waited.
                    await asyncio.sleep(0.2)
        except TimeoutError:
            pass
        finally:
            await history.aclose()
        return stored
