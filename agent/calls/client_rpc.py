"""RPC from the agent to a client: what can go wrong, as errors of ours."""

from __future__ import annotations

import asyncio
import logging

from livekit import rtc

logger = logging.getLogger(__name__)

ANNOUNCED_WITHIN = 5.0
"""Seconds within which the server announces everybody who is in the room: somebody without tracks
up to 3 s late (livekit-server, room.go, subscriberUpdateInterval)."""

MAX_REQUEST_BYTES = 12_000
"""Of a payload: as much as travels inside the addressed header of a request."""

MAX_ANSWER_BYTES = 14_000

ROUND_TRIP = 7.0
"""Seconds of a call's time that the SDKs keep for the way (livekit rtc SDK, rpc.py)."""


class ClientCallError(Exception):
    """A client could not be called; the message says why, without a subject: `has left`."""


class NoSuchMethodError(ClientCallError):
    """The client does not have the method."""


class NoAnswerError(ClientCallError):
    """The client did not answer in time."""


class AppError(ClientCallError):
    """The client's own code failed or refused; the message is its."""


_CODES = rtc.RpcError.ErrorCode


async def call_client(
    room: rtc.Room,
    identity: str,
    method: str,
    payload: str,
    *,
    timeout: float,  # noqa: ASYNC109 - the SDK's own, and told to the client
) -> str:
    """Calls a method of a client. Cancelling it leaves nothing behind but a call nobody waits for.

    Args:
        timeout: seconds that the client has for its answer.

    Raises:
        ClientCallError: one of the above, or there is no connection to the client.
    """
    if not await _is_announced(room, identity):
        raise ClientCallError("is not in the room")
    try:
        # The SDK ends the call by itself, also when the client leaves.
        return await room.local_participant.perform_rpc(
            destination_identity=identity,
            method=method,
            payload=payload,
            response_timeout=timeout + ROUND_TRIP,
            max_round_trip_latency=ROUND_TRIP,
        )
    except rtc.RpcError as error:
        raise _translated(error) from error


async def _is_announced(room: rtc.Room, identity: str) -> bool:
    """Whether the server has announced somebody; waits for it, a while, since it may come late."""
    announced = asyncio.Event()

    def on_connected(participant: rtc.RemoteParticipant) -> None:
        if participant.identity == identity:
            announced.set()

    room.on("participant_connected", on_connected)
    try:
        async with asyncio.timeout(ANNOUNCED_WITHIN):
            if identity not in room.remote_participants:
                await announced.wait()
    except TimeoutError:
        return False
    finally:
        room.off("participant_connected", on_connected)
    return True


def _translated(error: rtc.RpcError) -> ClientCallError:
    if error.code == _CODES.UNSUPPORTED_METHOD:
        return NoSuchMethodError("has no such method")
    if error.code in (_CODES.RECIPIENT_DISCONNECTED, _CODES.RECIPIENT_NOT_FOUND):
        return ClientCallError("has left")
    if error.code in (_CODES.RESPONSE_TIMEOUT, _CODES.CONNECTION_TIMEOUT):
        return NoAnswerError("did not answer in time")
    if error.code == _CODES.APPLICATION_ERROR or not 1001 <= error.code <= 1999:
        return AppError(error.message)
    logger.warning("a client could not be called: %s %s", error.code, error.message)
    return ClientCallError("could not be reached")
