"""DataChannel: the room's data packets by type, in and out, and calls to those in the room."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, cast

from livekit import rtc

from agent.data.packet import Packet, UnknownTopic, read_packet
from agent.data.sender_queues import SenderQueues
from agent.inbox.message import Sender
from agent.inbox.people import People
from agent.tasks import Tasks
from agent.telemetry.metrics import PACKETS_IGNORED
from agent.wire.envelope import encode, envelope
from agent.wire.notices import Notices
from agent.wire.publish import PacketTooLargeError, publish
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

MAX_STREAM_BYTES: Final = 1_048_576
"""Of JSON that goes out as a text stream, since it does not fit into a packet."""

MAX_WAITING: Final = 256
"""Packets of one sender that wait for handlers that are async."""


_WHOSE_PACKET: Final = Refusal(
    409,
    "A packet came before its sender was announced. If it was yours, please send it again.",
    retry_after=3.0,
)

Handler = Callable[[Packet[Any]], Awaitable[object] | object]
"""Takes a packet; async or not. If it raises a Refusal, the sender gets it."""


class DataChannel:
    """Sends and receives `{id, type, senderId, senderName, content, timestamp}`.

    In: everybody's packets but agents', by type; the sender is the one that the server names. A
        packet on a topic or of a type without a handler is the app's own: it is counted and
        ignored. A malformed packet on a handled topic is refused to its sender. Handlers of a
        packet are called at once, in the order in which they were added; async ones run one after
        the other for each sender. A failing handler does not affect others.

    Out: sizes are checked before anything is sent.
    """

    def __init__(self, room: rtc.Room, *, people: People, notices: Notices) -> None:
        self._room = room
        self._people = people
        self._notices = notices
        self._handlers: dict[str, list[Handler]] = {}
        self._lanes = SenderQueues(MAX_WAITING)
        self._tasks = Tasks()
        self._known: frozenset[str] | None = None
        """Participants in the room when packets without a sender came; None: there are none."""
        self._refusing: asyncio.Task[None] | None = None

    @property
    def identity(self) -> str:
        """The agent's own identity; available once connected."""
        return self._room.local_participant.identity

    def open(self) -> None:
        """Registers the handlers; call it before connecting."""
        self._room.on("data_received", self._on_packet)

    async def aclose(self) -> None:
        """Stops listening, and cancels work in progress."""
        self._room.off("data_received", self._on_packet)
        await self._tasks.aclose()
        await self._lanes.aclose()

    def on(self, type: str, handler: Handler) -> None:  # noqa: A002 - the field's name on the wire
        """Registers a handler for packets of a type, also on a packet topic of that name."""
        self._handlers.setdefault(type, []).append(handler)

    def off(self, type: str, handler: Handler | None = None) -> None:  # noqa: A002 - as in `on`
        """Removes a handler, or all handlers of a type; one that was never added is no error."""
        handlers = self._handlers.get(type, [])
        remaining = [each for each in handlers if handler is not None and each != handler]
        if remaining:
            self._handlers[type] = remaining
        else:
            self._handlers.pop(type, None)

    async def broadcast(self, type: str, content: object, reliable: bool = True) -> str:  # noqa: A002 - as clients' libraries have it
        """Sends to everybody; returns the packet's id.

        It is sent as a data packet whose topic is the type's name. Content too large for a reliable
        packet is sent as a text stream on that topic, with the same JSON.

        Raises:
            PacketTooLargeError: over 1,300 bytes for a lossy packet, over 1 MiB for a stream.
            rtc.participant.PublishDataError: the SDK could not send it.
        """
        message = self._envelope(type, content)
        try:
            await publish(self._room, message, topic=type, reliable=reliable)
        except PacketTooLargeError as error:
            if not reliable or error.size > MAX_STREAM_BYTES:
                raise
            await self._room.local_participant.send_text(encode(message).decode(), topic=type)
        return str(message["id"])

    async def send_to(self, identities: Sequence[str], type: str, content: object) -> str:  # noqa: A002 - as in `on`
        """Sends to these participants only; returns the packet's id.

        Raises:
            PacketTooLargeError: over 15 KiB. A stream in its place would be sent to everybody:
                the SDK addresses a stream's header only.
            rtc.participant.PublishDataError: the SDK could not send it.
        """
        message = self._envelope(type, content)
        await publish(self._room, message, topic=type, to=identities)
        return str(message["id"])

    async def call_rpc(
        self,
        identity: str,
        method: str,
        payload: object = None,
        *,
        response_timeout: float | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the other side answers
        """Calls a method of a participant's with JSON; returns its answer.

        Args:
            payload: becomes JSON; None is the empty payload.
            response_timeout: seconds; the SDK's own 15 unless given.

        Returns:
            The JSON value that came back, or the text if it is no JSON.

        Raises:
            rtc.RpcError: the other side, or the SDK, reports an error.
        """
        answer = await self._room.local_participant.perform_rpc(
            destination_identity=identity,
            method=method,
            payload="" if payload is None else json.dumps(payload),
            response_timeout=response_timeout,
        )
        try:
            return cast("object", json.loads(answer))
        except (ValueError, RecursionError):
            return answer

    def deliver(self, packet: Packet[Any], handler: Handler) -> None:
        """Passes a packet to one handler, and keeps its failures from all others."""
        failed = partial(self._failed, packet)
        try:
            result = handler(packet)
        except Exception as error:
            failed(error)
            return
        if inspect.isawaitable(result) and not self._lanes.add(
            packet.sender.identity, result, failed
        ):
            failed(Refusal(429, "Too many packets at once.", retry_after=1.0))

    def _failed(self, packet: Packet[Any], error: Exception) -> None:
        if not isinstance(error, Refusal):
            logger.error(
                "handler of %.64r packets failed; its sender gets error 500",
                packet.type,
                exc_info=error,
            )
            error = Refusal(500, "The agent failed to handle the packet.")
        self._notices.refuse(packet.sender.identity, error, packet.id or None)

    def _envelope(self, kind: str, content: object) -> dict[str, object]:
        local = self._room.local_participant
        return envelope(
            kind,
            content,
            sender_id=local.identity,
            sender_name=local.name,
            message_id=str(uuid.uuid4()),
        )

    def _on_packet(self, packet: rtc.DataPacket) -> None:
        if packet.participant is not None:
            self._take(packet, self._people.known(packet.participant.identity))
            return
        if packet.kind == rtc.DataPacketKind.KIND_LOSSY:
            # It is a newcomer's, who is announced soon. A look-up for each would cost a request to
            # the server.
            return
        known = frozenset(self._room.remote_participants)
        self._known = known if self._known is None else self._known & known
        if self._refusing is None:
            self._refusing = self._tasks.start(self._refuse_unnamed(), name="unnamed packets")

    async def _refuse_unnamed(self) -> None:
        """Asks every participant who may have sent the packet to send it again.

        The SDK names no sender that the server has not announced, and the server's API does not say
        who sent a packet. A participant who has just joined need not be its sender, who may have
        left. One look-up serves all packets that came before it.
        """
        try:
            while (known := self._known) is not None:
                self._known = None
                for person in await self._people.unannounced(known):
                    self._notices.refuse(person.identity, _WHOSE_PACKET)
        finally:
            self._refusing = None

    def _take(self, raw: rtc.DataPacket, sender: Sender) -> None:
        if sender.is_agent:
            return
        try:
            packet = read_packet(raw.data, raw.topic or "", sender, self._handlers)
        except Refusal as refusal:
            self._notices.refuse(sender.identity, refusal)
        except UnknownTopic as unknown:
            PACKETS_IGNORED.add()
            logger.debug("ignoring a packet on the app's own topic %.64r", unknown.name)
        else:
            for handler in tuple(self._handlers[packet.type]):
                self.deliver(packet, handler)
