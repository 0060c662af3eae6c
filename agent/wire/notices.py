"""Notices: what the agent tells a participant, or the room, besides its answers."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field

from livekit import rtc

from agent.wire.envelope import envelope
from agent.wire.publish import publish
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

SYSTEM_TOPIC = "system"
MAX_WAITING = 256
MAX_IDS = 200
SEND_TIMEOUT = 10.0
FLUSH_TIMEOUT = 3.0


@dataclass(slots=True)
class _Notice:
    event: str
    text: str
    fields: dict[str, object]
    message_ids: list[str] = field(default_factory=list[str])


class Notices:
    """Sends `system` packets, in order, without ever holding up who reports something.

    A packet is `{id, type: "system", senderId, senderName, content, text, timestamp, event, …}` on
    packet topic `system`. Notices for the same participant that say the same thing while an
    earlier one is still on its way go out as one packet with all their `messageIds`, so that a
    flood of bad messages is not answered by another flood.
    """

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._waiting: OrderedDict[tuple[object, ...], tuple[str | None, _Notice]] = OrderedDict()
        self._something = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to send; to be called once connected. What was told before goes out then."""
        self._task = asyncio.create_task(self._send_all(), name="notices")

    def refuse(self, identity: str, refusal: Refusal, message_id: str | None = None) -> None:
        """Tells a sender that what they sent was not accepted, and why."""
        fields: dict[str, int | float | None] = {
            "code": refusal.code,
            "retryAfter": refusal.retry_after,
        }
        self.tell(identity, "error", refusal.sentence, message_id=message_id, **fields)

    def tell(
        self,
        identity: str | None,
        event: str,
        text: str,
        *,
        message_id: str | None = None,
        **fields: object,
    ) -> None:
        """Queues a notice for one participant, or for everybody (None); fields as JSON has them."""
        key = (identity, event, text, *sorted((k, str(v)) for k, v in fields.items()))
        entry = self._waiting.get(key)
        if entry is None or len(entry[1].message_ids) >= MAX_IDS:
            if entry is not None:
                key = (*key, object())
            if len(self._waiting) >= MAX_WAITING:
                logger.warning("too many notices are waiting; the oldest is dropped")
                self._waiting.popitem(last=False)
            entry = self._waiting[key] = (identity, _Notice(event, text, fields))
        if message_id is not None:
            entry[1].message_ids.append(message_id)
        self._something.set()

    async def flush(self) -> None:
        """Returns when everything that waits now is sent, or could not be in time."""
        self._idle.clear()
        self._something.set()
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT):
                await self._idle.wait()
        except TimeoutError:
            logger.warning("notices were not sent in time")

    async def aclose(self) -> None:
        """Stops sending; what still waits is dropped, its readers being gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _send_all(self) -> None:
        while True:
            await self._something.wait()
            while self._waiting:
                _, (identity, notice) = self._waiting.popitem(last=False)
                await self._send(identity, notice)
            self._something.clear()
            self._idle.set()

    async def _send(self, identity: str | None, notice: _Notice) -> None:
        local = self._room.local_participant
        message = envelope(
            "system",
            notice.text,
            sender_id=local.identity,
            sender_name=local.name,
            fields={
                "event": notice.event,
                "messageIds": notice.message_ids or None,
                **notice.fields,
            },
        )
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await publish(
                    self._room,
                    message,
                    topic=SYSTEM_TOPIC,
                    to=None if identity is None else [identity],
                )
        except (rtc.participant.PublishDataError, TimeoutError) as error:
            logger.warning("a notice could not be sent: %s", error)
