"""PrivateAnswers: what methods answer reaches the caller, and nobody else."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable

from livekit import rtc

from agent.wire.client_protocols import INLINE_PROTOCOL, ClientProtocols
from agent.wire.envelope import ENVELOPE_BYTES, MAX_PACKET_BYTES, split_text
from agent.wire.publish import publish
from tools.errors import TooLarge

MAX_RESPONSE_BYTES = 14_000
"""Of UTF-8 in an RPC response. A longer one would leave the addressed header of its stream for
chunks that the server sends to the whole room."""

MAX_ANSWER_BYTES = 1_048_576

SENDING_TAKES = 0.5
"""Seconds before the end of a call by which an answer leaves in packets, however little is known of
who called."""

ANSWER_TOPIC = "rpc"


class PrivateAnswers:
    """Brings answers to their callers: in the RPC response where that is for the caller alone,
    else in packets that are addressed, of which the response gives the id.

    How the SDK responds depends on the caller's `client_protocol` (livekit rust-sdks,
    room/rpc/server.rs): 0 calls by packets and is responded to by an addressed one; others call by
    streams and are responded to by a stream. From 2 on that is inside its header, if it fits; to 1
    it goes in chunks, to everybody. Errors are addressed packets always.

    Args:
        announced: waits until the room knows a participant; returns whether it does.
    """

    def __init__(
        self,
        room: rtc.Room,
        protocols: ClientProtocols,
        announced: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._room = room
        self._protocols = protocols
        self._announced = announced

    async def deliver(self, identity: str, method: str, answer: str, *, by: float) -> str:
        """What is to be the RPC response; the answer itself, or where it is.

        It is under way by the moment `by` (`loop.time()`), also to one who has just come:
        livekit-server may announce them after the end of their call.

        Raises:
            TooLarge: the answer is longer than may be.
        """
        size = len(answer.encode())
        if size > MAX_ANSWER_BYTES:
            raise TooLarge(f"The answer is longer than {MAX_ANSWER_BYTES} bytes")
        if size <= MAX_RESPONSE_BYTES and await self._response_is_private(identity, by):
            return answer
        return await self._send(identity, method, answer)

    async def _response_is_private(self, identity: str, by: float) -> bool:
        protocol = await self._protocols.of(identity)
        if protocol is None or 0 < protocol < INLINE_PROTOCOL:
            return False
        # The SDK uses the header for those whom the server has announced to it.
        if protocol == 0:
            return True
        try:
            async with asyncio.timeout_at(by - SENDING_TAKES):
                return await self._announced(identity)
        except TimeoutError:
            return False

    async def _send(self, identity: str, method: str, answer: str) -> str:
        """Data packets on packet topic `rpc`: `{type: "rpcAnswer", id, method, part, parts, text}`.

        They are sent before the response, on the same channel, so they arrive before it.
        """
        answer_id = f"answer_{uuid.uuid4().hex[:16]}"
        parts = split_text(answer, MAX_PACKET_BYTES - ENVELOPE_BYTES)
        for number, part in enumerate(parts, start=1):
            packet = {
                "type": "rpcAnswer",
                "id": answer_id,
                "method": method,
                "part": number,
                "parts": len(parts),
                "text": part,
            }
            await publish(self._room, packet, topic=ANSWER_TOPIC, to=[identity])
        return json.dumps({"packet": answer_id, "parts": len(parts)})
