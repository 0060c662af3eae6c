"""Inbox: every form in which people write to the agent becomes one IncomingMessage, once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Set
from dataclasses import dataclass
from typing import Any

from livekit import rtc
from livekit.rtc.data_stream import StreamError

from agent.chat.arrival_order import ArrivalOrder, Turn
from agent.chat.message import Form, IncomingMessage, Sender
from agent.chat.packets import MAX_ID_LENGTH, ChatPacket, parse_packet
from agent.chat.people import People
from agent.chat.reply_output import SCOPE
from agent.wire.notices import Notices
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

MAX_SEEN = 10_000
"""Message ids that are remembered for a room, so that no message is answered twice."""

MAX_TOPICS_TOLD = 1_000
"""Pairs of sender and unknown topic that are remembered as told."""

PATIENCE = 0.5
"""Seconds that a message waits for those that its sender began earlier."""

_UNKNOWN = ""

_WHOSE_PACKET = Refusal(
    409,
    "A packet came before its sender was announced. If it was yours, please send it again.",
    retry_after=3.0,
)

PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class InboxLimits:
    """Bounds of what is read.

    Attributes:
        message_bytes: of UTF-8 in one message.
        open_messages: messages of one participant that are being read at a time.
        silence: seconds without a chunk after which a stream is given up.
    """

    message_bytes: int
    open_messages: int
    silence: float


class Inbox:
    """Reads text streams on the chat topics and chat packets, from everybody but agents.

    What is malformed, too large or too much is refused: its sender gets a notice, nobody else
    notices. Every message is delivered once, in however many forms it came (useChat sends a
    stream and a packet); a message is told from others by its sender and its id.
    """

    def __init__(
        self,
        room: rtc.Room,
        *,
        people: People,
        topics: tuple[str, ...],
        limits: InboxLimits,
        notices: Notices,
        deliver: Callable[[IncomingMessage], None],
    ) -> None:
        self._room = room
        self._people = people
        self._topics = topics
        self._limits = limits
        self._notices = notices
        self._deliver = deliver
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._topics_told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._order = ArrivalOrder(PATIENCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Listens; to be called before connecting, since streams that nobody handles are lost."""
        for topic in self._topics:
            self._room.register_text_stream_handler(topic, self._on_stream)
        self._room.on("data_received", self._on_packet)

    async def aclose(self) -> None:
        """Stops listening and gives up the streams that are being read."""
        self._room.off("data_received", self._on_packet)
        for topic in self._topics:
            self._room.unregister_text_stream_handler(topic)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_stream(self, reader: rtc.TextStreamReader, identity: str) -> None:
        try:
            self._start(identity, lambda turn: self._read(reader, identity, turn))
        except Refusal as refusal:
            reader.close()
            self._notices.refuse(identity, refusal, reader.info.stream_id[:MAX_ID_LENGTH])

    def _on_packet(self, packet: rtc.DataPacket) -> None:
        participant = packet.participant
        identity = participant.identity if participant is not None else _UNKNOWN
        if participant is not None and not self._order.waiting(identity):
            self._take_packet(packet, self._people.known(identity))
            return
        known = frozenset(self._room.remote_participants)
        try:
            self._start(identity, lambda turn: self._take_in_turn(packet, identity, turn, known))
        except Refusal as refusal:
            if participant is not None:
                self._notices.refuse(identity, refusal)
            else:
                logger.warning("too many packets of unknown senders at once; one is dropped")

    def _start(self, identity: str, work: Callable[[Turn], Coroutine[Any, Any, None]]) -> None:
        """Runs what takes a while for one message, so many of one sender at a time."""
        if self._order.waiting(identity) >= self._limits.open_messages:
            raise Refusal(429, "Too many messages at once.", retry_after=1.0)
        turn = self._order.enter(identity)
        task = asyncio.create_task(work(turn), name="incoming message")
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._done(task, identity, turn))

    def _done(self, task: asyncio.Task[None], identity: str, turn: Turn) -> None:
        self._tasks.discard(task)
        self._order.leave(identity, turn)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("an incoming message could not be read", exc_info=error)

    async def _take_in_turn(
        self, packet: rtc.DataPacket, identity: str, turn: Turn, known: Set[str]
    ) -> None:
        """A packet that comes behind others, or whose sender the SDK cannot name.

        The latter is a server API's, or a newcomer's if there is one who was not announced when
        it came. With several of them it cannot be told whose it is; they are asked to send it
        again.
        """
        if identity != _UNKNOWN:
            senders = [self._people.known(identity)]
        else:
            senders = await self._people.unannounced(known)
        await self._order.forerunners(identity, turn)
        if len(senders) == 1:
            self._take_packet(packet, senders[0])
            return
        for sender in senders:
            self._notices.refuse(sender.identity, _WHOSE_PACKET)

    async def _read(self, reader: rtc.TextStreamReader, identity: str, turn: Turn) -> None:
        info = reader.info
        try:
            text = await self._read_text(reader)
            sender = await self._people.find(identity)
            await self._order.forerunners(identity, turn)
            attributes = info.attributes or {}
            self._accept(
                IncomingMessage(
                    id=info.stream_id,
                    sender=sender,
                    text=text,
                    timestamp=info.timestamp or int(time.time() * 1000),
                    form=Form.STREAM,
                    private=attributes.get(SCOPE) == PRIVATE,
                    reply_to=_id(attributes.get("in_reply_to")),
                )
            )
        except Refusal as refusal:
            self._notices.refuse(identity, refusal, info.stream_id[:MAX_ID_LENGTH])
        except StreamError as error:
            # Cut off by its sender or by the connection: there is nobody to tell.
            logger.info("an incoming stream ended early: %s", error)
        finally:
            reader.close()

    async def _read_text(self, reader: rtc.TextStreamReader) -> str:
        parts: list[str] = []
        size = 0
        while True:
            try:
                async with asyncio.timeout(self._limits.silence):
                    part = await anext(reader)
            except StopAsyncIteration:
                return "".join(parts)
            except TimeoutError:
                seconds = f"{self._limits.silence:g}"
                raise Refusal(
                    408, f"The message was not finished: nothing came for {seconds} s."
                ) from None
            parts.append(part)
            size += len(part.encode())
            if size > self._limits.message_bytes:
                raise self._too_large()

    def _take_packet(self, packet: rtc.DataPacket, sender: Sender) -> None:
        if sender.is_agent:
            return
        message_id: str | None = None
        try:
            parsed = parse_packet(packet.data, packet.topic or "", self._topics)
            if isinstance(parsed, ChatPacket):
                message_id = parsed.id
                self._accept(
                    IncomingMessage(
                        id=parsed.id,
                        sender=sender,
                        text=parsed.text,
                        timestamp=parsed.timestamp,
                        form=parsed.form,
                        private=parsed.private,
                        reply_to=parsed.reply_to,
                    )
                )
            elif parsed is not None:
                self._tell_unknown(sender.identity, parsed.topic)
        except Refusal as refusal:
            self._notices.refuse(sender.identity, refusal, message_id)

    def _accept(self, message: IncomingMessage) -> None:
        """Delivers a message that has not been seen before; raises Refusal."""
        if message.sender.is_agent:
            return
        if not message.text.strip():
            raise Refusal(400, "The message is empty.")
        if len(message.text.encode(errors="replace")) > self._limits.message_bytes:
            raise self._too_large()
        key = (message.sender.identity, message.id)
        if key in self._seen:
            return
        self._deliver(message)
        # Only now: a message that was refused may be sent again under its id.
        self._seen[key] = None
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)

    def _tell_unknown(self, identity: str, topic: str) -> None:
        """Says once to each sender that a topic is unknown; others in the room may well know it."""
        key = (identity, topic[:MAX_ID_LENGTH])
        if key in self._topics_told:
            return
        self._topics_told[key] = None
        if len(self._topics_told) > MAX_TOPICS_TOLD:
            self._topics_told.popitem(last=False)
        self._notices.refuse(identity, Refusal(404, f"The agent has no topic {key[1]!r}."))

    def _too_large(self) -> Refusal:
        return Refusal(413, f"A message may have {self._limits.message_bytes} bytes.")


def _id(value: str | None) -> str | None:
    return value if value and len(value) <= MAX_ID_LENGTH else None
