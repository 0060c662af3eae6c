"""Pages of the history as packets, for callers whose RPC answers would reach others."""

from __future__ import annotations

import uuid

from livekit import rtc

from agent.wire.publish import publish

HISTORY_TOPIC = "history"


async def send_page(room: rtc.Room, identity: str, page: dict[str, object]) -> str:
    """Sends a page to one participant; returns the packet's id.

    A data packet on packet topic `history`: `{type: "history", id, messages, nextBefore?}`.
    """
    packet_id = f"page_{uuid.uuid4().hex[:16]}"
    packet = {"type": "history", "id": packet_id, **page}
    await publish(room, packet, topic=HISTORY_TOPIC, to=[identity])
    return packet_id
