"""AnswerDelivery: delivers the answer of a method to its caller."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable

from livekit import rtc

from agent.config.setting_types import RpcAnswers
from agent.contract.packets import RpcAnswerPart
from agent.rpc.rpc_call import RpcCall
from agent.tool_calls.rpc_answer import RpcAnswer
from agent.wire.client_protocols import INLINE_PROTOCOL, ClientProtocols
from agent.wire.envelope import ENVELOPE_BYTES, MAX_PACKET_BYTES, split_text
from agent.wire.publish import publish
from toolkit.errors import InvalidArguments, TooLarge

PACKET_RESPONSE_BYTES = 15_360
"""Bytes of UTF-8 in the response to a call that came in a packet (rust-sdks,
livekit/src/room/rpc/mod.rs, MAX_V1_PAYLOAD_BYTES)."""

INLINE_BYTES = 14_000
"""Bytes of UTF-8 in a response that fits inside the addressed header of its stream. The SDK puts
up to 15,000 bytes of a header there, attributes included (livekit-data-stream,
STREAM_CHUNK_SIZE_BYTES)."""

MAX_ANSWER_BYTES = 1_048_576

SENDING_TAKES = 0.5
"""Seconds before the end of a call at which a confidential answer is sent in packets, even if the
caller's client is still unknown."""

ANSWER_TOPIC = "rpc"


class AnswerDelivery:
    """Puts answers into RPC responses, or into packets whose id is the response.

    The response is the answer. Packets are for callers that ask for them, and for confidential
    answers that the SDK would send to everybody in the room. How it sends a response depends on how
    the call came (rust-sdks, livekit/src/room/rpc/server.rs):

    - Clients of `client_protocol` 0 and RoomService.PerformRpc call by a packet. The response is an
      addressed packet of at most 15,360 bytes.
    - Clients of a later protocol call by a stream. The response is a stream of any length. It
      travels inside the addressed header where it fits, the client is of protocol 2 or later, and
      the server has announced the client to the agent; else in chunks that go to the whole room.

    Errors are addressed packets always.

    Args:
        announced: waits until the room knows a participant; returns whether it does.
        policy: `private` treats every answer as confidential, and sends in packets what a response
            cannot carry.
    """

    def __init__(
        self,
        room: rtc.Room,
        protocols: ClientProtocols,
        announced: Callable[[str], Awaitable[bool]],
        policy: RpcAnswers,
    ) -> None:
        self._room = room
        self._protocols = protocols
        self._announced = announced
        self._policy = policy

    async def deliver(self, call: RpcCall, answer: RpcAnswer) -> str:
        """Returns the RPC response: the answer, or the id of the packets that brought it.

        Raises:
            ToolError: the answer is too long for its caller, or cannot be sent in the form that
                they asked for.
        """
        size = len(answer.text.encode())
        if size > MAX_ANSWER_BYTES:
            raise TooLarge(f"The answer is longer than {MAX_ANSWER_BYTES} bytes")
        if call.answer_in == "packets":
            if call.is_server_api:
                raise InvalidArguments("The server API gets answers only in the response")
            return await self._send(call, answer.text)
        if size > PACKET_RESPONSE_BYTES and await self._protocol(call) == 0:
            if self._policy == "private" and not call.is_server_api:
                return await self._send(call, answer.text)
            raise TooLarge(
                f"The answer has {size} bytes, and a response to this client may have "
                f"{PACKET_RESPONSE_BYTES}" + ("" if call.is_server_api else ": ask for packets")
            )
        confidential = answer.confidential or self._policy == "private"
        if confidential and not await self._response_is_private(call, size):
            return await self._send(call, answer.text)
        return answer.text

    async def _protocol(self, call: RpcCall) -> int | None:
        """The caller's `client_protocol`; None if the server has not reported it."""
        return 0 if call.is_server_api else await self._protocols.of(call.identity)

    async def _response_is_private(self, call: RpcCall, size: int) -> bool:
        """Whether the SDK sends a response of this size to the caller alone."""
        protocol = await self._protocol(call)
        if protocol is None:
            return False
        if protocol == 0:
            return True
        if protocol < INLINE_PROTOCOL or size > INLINE_BYTES:
            return False
        try:
            # livekit-server may announce somebody after their call has ended.
            async with asyncio.timeout_at(call.deadline - SENDING_TAKES):
                return await self._announced(call.identity)
        except TimeoutError:
            return False

    async def _send(self, call: RpcCall, answer: str) -> str:
        """Data packets on packet topic `rpc`: `{type: "rpcAnswer", id, method, part, parts, text}`.

        They go out before the response, on the same channel, so they arrive before it.
        """
        answer_id = f"answer_{uuid.uuid4().hex[:16]}"
        parts = split_text(answer, MAX_PACKET_BYTES - ENVELOPE_BYTES)
        for number, part in enumerate(parts, start=1):
            packet: RpcAnswerPart = {
                "type": "rpcAnswer",
                "id": answer_id,
                "method": call.method,
                "part": number,
                "parts": len(parts),
                "text": part,
            }
            await publish(self._room, packet, topic=ANSWER_TOPIC, to=[call.identity])
        return json.dumps({"packet": answer_id, "parts": len(parts)})
