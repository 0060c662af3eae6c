"""Sends the agent's data packets: the only place that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from livekit import rtc

from agent.sdk.outgoing import Sending
from agent.sdk.sending import begin_packet
from agent.wire.envelope import encode

MAX_RELIABLE_BYTES: Final = 15 * 1024
"""Bytes of a reliable packet's payload (LiveKit's documentation of data packets)."""

MAX_LOSSY_BYTES: Final = 1_300
"""Bytes of a lossy packet's payload, which has to fit into one datagram. Losing a part loses the
packet."""


class PacketTooLargeError(ValueError):
    """A packet that LiveKit may not deliver."""

    def __init__(self, size: int, bound: int, kind: str) -> None:
        super().__init__(f"a {kind} packet may have {bound} bytes, this one has {size}")
        self.size = size


def begin_publish(
    room: rtc.Room,
    body: Mapping[str, object],
    *,
    topic: str = "",
    to: Sequence[str] | None = None,
    reliable: bool = True,
) -> Sending | None:
    """Sends JSON as a data packet to these identities, or to everybody (None); the returned
    awaitable completes when it has been sent. With an empty list nothing is sent.

    Raises:
        PacketTooLargeError: nothing is sent.
    """
    data = encode(body)
    bound, kind = (MAX_RELIABLE_BYTES, "reliable") if reliable else (MAX_LOSSY_BYTES, "lossy")
    if len(data) > bound:
        raise PacketTooLargeError(len(data), bound, kind)
    if to is not None and not to:
        # For the SDK, no addressee means everybody.
        return None
    return begin_packet(room, data, topic=topic, to=to or (), reliable=reliable)


async def publish(
    room: rtc.Room,
    body: Mapping[str, object],
    *,
    topic: str = "",
    to: Sequence[str] | None = None,
    reliable: bool = True,
) -> None:
    """The same; returns when it has been sent.

    Raises:
        PacketTooLargeError: nothing is sent.
        rtc.participant.PublishDataError: the SDK could not send it.
    """
    call = begin_publish(room, body, topic=topic, to=to, reliable=reliable)
    if call is not None:
        await call.settled()


async def publish_bytes(
    room: rtc.Room, data: bytes, *, topic: str, to: Sequence[str] | None = None
) -> None:
    """Sends a reliable packet of any content to these identities, or to everybody (None).

    Raises:
        PacketTooLargeError, rtc.participant.PublishDataError: as `publish`.
    """
    if len(data) > MAX_RELIABLE_BYTES:
        raise PacketTooLargeError(len(data), MAX_RELIABLE_BYTES, "reliable")
    await begin_packet(room, data, topic=topic, to=to or (), reliable=True).settled()
