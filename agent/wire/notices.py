"""Notices: `system` packets to a participant or the room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from livekit import rtc

from agent.sdk.outgoing import Sending
from agent.tasks import Tasks
from agent.telemetry.metrics import REFUSALS
from agent.wire.envelope import MAX_PACKET_BYTES, encode, envelope, split_text
from agent.wire.publish import begin_publish
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

SYSTEM_TOPIC = "system"
MAX_WAITING = 256
MAX_IDS = 200
MAX_TEXT_BYTES = 4_000
"""Bytes of a notice's text, which the packet has twice; the rest is cut off."""
SEND_TIMEOUT = 10.0
FLUSH_TIMEOUT = 3.0
PAUSE = 0.5
"""Seconds between two packets with the same error for the same participant."""


@dataclass(slots=True)
class _Notice:
    about: tuple[object, ...]
    identity: str | None
    due: float
    event: str
    text: str
    fields: dict[str, object]
    message_ids: list[str] = field(default_factory=list[str])


class Notices:
    """Sends `system` packets in order; reporting something never waits.

    A packet is `{id, type: "system", senderId, senderName, content, text, timestamp, event, …}` on
    packet topic `system`. Notices for the same participant that say the same thing while an
    earlier one is still waiting are merged: their `messageIds` go out together, in as many packets
    as they need. The first error leaves at once; the same error again waits for others like it, so
    that a flood of bad messages is answered by a few packets.

    A notice that cannot be sent is logged, and the next one is sent.
    """

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._waiting: OrderedDict[tuple[object, ...], _Notice] = OrderedDict()
        self._told: OrderedDict[tuple[object, ...], float] = OrderedDict()
        self._in_haste = False
        self._is_dropping = False
        self._something = asyncio.Event()
        self._idle = asyncio.Event()
        self._is_started = False
        self._tasks = Tasks()
        self._last: Sending | None = None
        """The send of the latest notice; it is awaited before the next one."""

    def start(self) -> None:
        """Begins to send; call it once connected. Earlier notices go out then."""
        self._is_started = True
        self._tasks.keep(self._send_all, name="notices")

    def refuse(self, identity: str, refusal: Refusal, message_id: str | None = None) -> None:
        """Sends a refusal with its reason to a sender."""
        REFUSALS.add(str(refusal.code))
        fields: dict[str, int | float | None] = {
            "code": refusal.code,
            "retryAfter": refusal.retry_after,
        }
        message_id = message_id or refusal.message_id
        self.tell(identity, "error", refusal.sentence, message_id=message_id, **fields)

    def stored(self, identity: str, message_id: str, position: int | None) -> None:
        """Notifies a sender that their message is in the database."""
        self.tell(identity, "message.stored", "", message_id=message_id, position=position)

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
        about = (identity, event, text, *sorted((k, str(v)) for k, v in fields.items()))
        notice = self._waiting.get(about)
        if notice is not None and len(notice.message_ids) >= MAX_IDS:
            self._waiting[*about, object()] = self._waiting.pop(about)
            notice.due = 0.0
            notice = None
        if notice is None:
            if len(self._waiting) >= MAX_WAITING:
                self._drop_one()
            due = self._told.get(about, -PAUSE) + PAUSE
            notice = _Notice(about, identity, due, event, text, fields)
            self._waiting[about] = notice
        if message_id is not None:
            notice.message_ids.append(message_id)
        self._something.set()

    def _drop_one(self) -> None:
        """Drops the oldest notice of the participant with the most waiting notices, so that a flood
        for one does not affect the others."""
        if not self._is_dropping:
            logger.warning("too many notices queued, dropping some")
        self._is_dropping = True
        ((most, _),) = Counter(each.identity for each in self._waiting.values()).most_common(1)
        del self._waiting[next(k for k, each in self._waiting.items() if each.identity == most)]

    async def flush(self) -> None:
        """Returns when all notices queued so far are sent, or the time is up."""
        if not self._is_started:
            return
        self._idle.clear()
        self._in_haste = True
        self._something.set()
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT):
                await self._idle.wait()
        except TimeoutError:
            logger.warning("notices not sent before the room closed")

    async def aclose(self) -> None:
        """Stops sending; waiting notices are dropped, since their readers have left."""
        await self._tasks.aclose()

    async def _send_all(self) -> None:
        while True:
            self._something.clear()
            now = asyncio.get_running_loop().time()
            for key, notice in self._waiting.items():
                if notice.due <= now or self._in_haste:
                    del self._waiting[key]
                    self._note(notice, now)
                    await self._try_to_send(notice)
                    break
            else:
                await self._until_due(now)

    async def _until_due(self, now: float) -> None:
        """Returns when there may be something to send."""
        if not self._waiting and self._in_haste:
            await self._last_sent()
        if not self._waiting:
            self._in_haste = self._is_dropping = False
            self._idle.set()
        due = min((notice.due for notice in self._waiting.values()), default=None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if due is None else due - now):
                await self._something.wait()

    def _note(self, notice: _Notice, now: float) -> None:
        """Delays further notices of the same error."""
        if notice.event == "error":
            self._told[notice.about] = now
            self._told.move_to_end(notice.about)
            if len(self._told) > MAX_WAITING:
                self._told.popitem(last=False)

    async def _try_to_send(self, notice: _Notice) -> None:
        try:
            await self._send(notice)
        except Exception as error:
            # The boundary around one notice: whatever fails, the next one is sent.
            logger.error("notice %r not sent: %s", notice.event, type(error).__name__)

    async def _send(self, notice: _Notice) -> None:
        to = None if notice.identity is None else [notice.identity]
        for message_ids in self._packets(notice):
            message = self._message(notice, message_ids)
            await self._last_sent()
            self._last = begin_publish(self._room, message, topic=SYSTEM_TOPIC, to=to)

    def _packets(self, notice: _Notice) -> Iterator[Sequence[str]]:
        """The message ids for each packet, at most MAX_PACKET_BYTES each."""
        ids = notice.message_ids
        left = MAX_PACKET_BYTES - len(encode(self._message(notice, [""])))
        start = size = 0
        for index, each in enumerate(ids):
            width = len(encode(each)) + 1
            if size + width > left and index > start:
                yield ids[start:index]
                start, size = index, 0
            size += width
        yield ids[start:]

    def _message(self, notice: _Notice, message_ids: Sequence[str]) -> dict[str, object]:
        local = self._room.local_participant
        return envelope(
            "system",
            split_text(notice.text, MAX_TEXT_BYTES)[0],
            sender_id=local.identity,
            sender_name=local.name,
            fields={
                "event": notice.event,
                "messageIds": list(message_ids) or None,
                **notice.fields,
            },
        )

    async def _last_sent(self) -> None:
        """Returns when the last one has been sent, or could not be."""
        last, self._last = self._last, None
        if last is None or last.succeeded:
            return
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await last.settled()
        except (rtc.participant.PublishDataError, TimeoutError) as error:
            logger.warning("notice not sent: %s", error or "no answer in time")
