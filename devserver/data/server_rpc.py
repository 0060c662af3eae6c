"""ServerRpc: RPC calls that the server itself makes to one participant, for RoomService.PerformRpc.

Packets, timeouts and errors are those of livekit-server (pkg/rtc/participant.go, PerformRpc;
protocol, utils/data_channel_rpc.go).
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Final, Protocol

from livekit.protocol import models

MAX_PAYLOAD_BYTES: Final = 15_360
ACKNOWLEDGED_WITHIN: Final = 2.0
DEFAULT_RESPONSE_TIMEOUT: Final = 10.0

_MESSAGES: Final = {
    1402: "Request payload too large",
    1501: "Connection timeout",
    1502: "Response timeout",
    1503: "Recipient disconnected",
}


class ServerRpcError(Exception):
    """A call that failed, with the code of an RPC error: the participant's or LiveKit's own."""

    def __init__(self, code: int, message: str = "", data: str = "") -> None:
        text = f"RpcError {code}: {message or _MESSAGES[code]}"
        super().__init__(f"{text}: {data}" if data else text)
        self.code = code


class UnreachableError(Exception):
    """The participant has no data channel yet."""


@dataclass
class _Call:
    response: asyncio.Future[str] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)


class Callee(Protocol):
    """The participant that is called."""

    @property
    def identity(self) -> str: ...

    @property
    def is_active(self) -> bool:
        """Whether its media connection is up."""
        ...

    def send_from_server(self, packet: models.DataPacket) -> None:
        """Send it a reliable packet of the server's own."""
        ...


class ServerRpc:
    """The calls to one participant that are in progress."""

    def __init__(self, participant: Callee) -> None:
        self._participant = participant
        self._calls: dict[str, _Call] = {}

    async def perform(self, method: str, payload: str, timeout_ms: int) -> str:
        """Calls a method and returns its answer.

        Raises:
            ServerRpcError: the participant refused, or did not answer.
            UnreachableError: the call could not be sent.
        """
        if len(payload.encode()) > MAX_PAYLOAD_BYTES:
            raise ServerRpcError(1402)
        seconds = timeout_ms / 1000 or DEFAULT_RESPONSE_TIMEOUT
        # The server has no identity: it calls in the name of the call, and knows the answer by it.
        call_id = str(uuid.uuid4())
        call = self._calls[call_id] = _Call()
        try:
            self._send(call_id, method, payload, seconds)
            async with asyncio.timeout(seconds) as response_timeout:
                try:
                    await _within(ACKNOWLEDGED_WITHIN, call)
                except TimeoutError:
                    code = 1502 if response_timeout.expired() else 1501
                    raise ServerRpcError(code) from None
                return await call.response
        except TimeoutError:
            raise ServerRpcError(1502) from None
        finally:
            del self._calls[call_id]

    def take(self, packet: models.DataPacket) -> bool:
        """Whether a packet of the participant's belongs to one of the calls; if so, it goes no
        further."""
        match packet.WhichOneof("value"):
            case "rpc_ack":
                call = self._calls.get(packet.rpc_ack.request_id)
                if call is None or call.acknowledged.is_set():
                    return False
                call.acknowledged.set()
                return True
            case "rpc_response":
                response = packet.rpc_response
                call = self._calls.get(response.request_id)
                if call is None or call.response.done():
                    return False
                call.acknowledged.set()
                if response.HasField("error"):
                    error = response.error
                    call.response.set_exception(
                        ServerRpcError(error.code, error.message, error.data)
                    )
                else:
                    call.response.set_result(response.payload)
                return True
            case _:
                return False

    def close(self) -> None:
        """Fails calls in progress: the participant has left."""
        for call in self._calls.values():
            call.acknowledged.set()
            if not call.response.done():
                call.response.set_exception(ServerRpcError(1503))

    def _send(self, call_id: str, method: str, payload: str, seconds: float) -> None:
        if not self._participant.is_active:
            raise UnreachableError("data channel is not available")
        self._participant.send_from_server(
            models.DataPacket(
                participant_identity=call_id,
                destination_identities=[self._participant.identity],
                rpc_request=models.RpcRequest(
                    id=call_id,
                    method=method,
                    payload=payload,
                    response_timeout_ms=int(seconds * 1000),
                    version=1,
                ),
            )
        )


async def _within(seconds: float, call: _Call) -> None:
    async with asyncio.timeout(seconds):
        await call.acknowledged.wait()
