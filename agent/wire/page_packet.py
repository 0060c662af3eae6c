"""Pages of the history as packets, for callers whose RPC answers would reach others."""

from __future__ import annotations

import uuid

from livekit import rtc

from agent.wire.envelope import encode

HISTORY_TOPIC = "history"


async def send_page(room: rtc.Room, identity: str, page: dict[str, object]) -> str:
    """Sends a page to one participant; returns the packet's id.

    A data packet on packet topic `history`: `{type: "history", id, messages, nextBefore?}`.
    """
    packet_id = f"page_{uuid.uuid4().hex[:16]}"
    await room.local_participant.publish_data(
        encode({"type": "history", "id": packet_id, **page}),
        topic=HISTORY_TOPIC,
        destination_identities=[identity],
    )
    return packet_id
