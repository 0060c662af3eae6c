"""Calls one of the agent's methods, whichever way its answer arrives."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from livekit import rtc

    from agent.cli.room_client import RoomClient

ANSWER_TOPIC: Final = "rpc"


class MethodCall:
    """Confidential answers may come in packets; the RPC response has their id."""

    def __init__(self, client: RoomClient) -> None:
        self._room = client.room
        self._agent = client.agent
        self._parts: dict[str, list[str]] = {}
        self._arrived = asyncio.Event()
        client.room.on("data_received", self._on_data)

    async def perform(self, method: str, payload: str, patience: float) -> str:
        """Raises rtc.RpcError, or TimeoutError if packets of the answer are missing."""
        response = await self._room.local_participant.perform_rpc(
            destination_identity=self._agent,
            method=method,
            payload=payload,
            response_timeout=patience,
        )
        if not response.startswith('{"packet":'):
            return response
        where = json.loads(response)
        parts = self._parts.setdefault(where["packet"], [])
        async with asyncio.timeout(patience):
            while len(parts) < where["parts"]:
                self._arrived.clear()
                await self._arrived.wait()
        return "".join(parts)

    def _on_data(self, packet: rtc.DataPacket) -> None:
        sender = None if packet.participant is None else packet.participant.identity
        if packet.topic == ANSWER_TOPIC and sender == self._agent:
            part = json.loads(packet.data)
            self._parts.setdefault(part["id"], []).append(part["text"])
            self._arrived.set()
