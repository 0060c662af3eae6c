"""ClientRpc: RPC from the agent to a client, and its failures."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from livekit import rtc

from agent.wire.client_protocols import ClientProtocols

logger = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 12_000
"""Bytes of a payload that fit into the addressed header of a request."""

ROUND_TRIP = 7.0
"""Seconds of a call's timeout that the SDKs reserve for the network (livekit rtc SDK, rpc.py)."""

STREAMED_PROTOCOL = 1
"""client_protocol of clients to which a request travels in chunks that all can read."""

_CODES = rtc.RpcError.ErrorCode


class ClientCallError(Exception):
    """A client could not be called; the message says why, without a subject: `has left`."""


class NoSuchMethodError(ClientCallError):
    """The client does not have the method."""


class NoAnswerError(ClientCallError):
    """The client did not answer in time."""


class AppError(ClientCallError):
    """The client's own code failed or refused; the message is its."""


class ClientRpc:
    """Calls methods of the clients in one room.

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

    async def is_private(self, identity: str) -> bool:
        """Whether a request of this size to somebody reaches nobody else.

        To protocol 0 it goes in an addressed packet, from 2 on inside an addressed header; in
        between in chunks that the server sends to everybody. Unknown counts as no.
        """
        protocol = await self._protocols.of(identity)
        return protocol is not None and protocol != STREAMED_PROTOCOL

    async def call(self, identity: str, method: str, payload: str, *, seconds: float) -> str:
        """Calls a method. Cancelling it leaves only a call behind that nobody waits for.

        Args:
            seconds: how long the client has for its answer.

        Raises:
            ClientCallError: one of the above, or there is no connection to the client.
        """
        if not await self._announced(identity):
            raise ClientCallError("is not in the room")
        try:
            # The SDK ends the call itself, also when the client leaves.
            return await self._room.local_participant.perform_rpc(
                destination_identity=identity,
                method=method,
                payload=payload,
                response_timeout=seconds + ROUND_TRIP,
                max_round_trip_latency=ROUND_TRIP,
            )
        except rtc.RpcError as error:
            raise _translated(error) from error


def _translated(error: rtc.RpcError) -> ClientCallError:
    if error.code == _CODES.UNSUPPORTED_METHOD:
        return NoSuchMethodError("has no such method")
    if error.code in (_CODES.RECIPIENT_DISCONNECTED, _CODES.RECIPIENT_NOT_FOUND):
        return ClientCallError("has left")
    if error.code in (_CODES.RESPONSE_TIMEOUT, _CODES.CONNECTION_TIMEOUT):
        return NoAnswerError("did not answer in time")
    if error.code == _CODES.APPLICATION_ERROR or not 1001 <= error.code <= 1999:
        return AppError(error.message)
    # Without its message, which the client may have written.
    logger.warning("RPC call to a client failed: %s", error.code)
    return ClientCallError("could not be reached")
