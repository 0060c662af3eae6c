"""perform_rpc: RoomService.PerformRpc, with the repetitions of livekit-server.

livekit-server asks the participant's node, and retries when that takes too long
(protocol, rpc/typed_api.go, DefaultPSRPCConfig; psrpc, pkg/middleware/retry.go). Each time, the
participant gets another call; the previous one continues, but nobody waits for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from livekit.protocol import room as room_proto

from devserver.api.twirp import TwirpError, internal_error
from devserver.data.server_rpc import ServerRpcError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from devserver.rooms.participant import Participant

ATTEMPTS: Final = (3.0, 5.0, 7.0)
"""Seconds that each attempt may take."""

_REPEATED: Final = ("deadline_exceeded", "unavailable")

_CODES: Final = {
    1400: "invalid_argument",
    1401: "not_found",
    1402: "invalid_argument",
    1403: "unimplemented",
    1404: "unimplemented",
    1501: "canceled",
    1502: "canceled",
    1503: "unavailable",
    1504: "internal",
}
"""Twirp codes of LiveKit's own RPC errors; all others are internal errors."""


async def perform_rpc(
    request: room_proto.PerformRpcRequest, find: Callable[[], Participant]
) -> room_proto.PerformRpcResponse:
    """Calls a method of a participant. Raises TwirpError.

    Args:
        find: the participant, who may have left between two attempts; raises TwirpError.
    """
    for number, seconds in enumerate(ATTEMPTS, start=1):
        try:
            return await _attempt(find(), request, seconds)
        except TwirpError as error:
            if error.code not in _REPEATED or number == len(ATTEMPTS):
                raise
    raise AssertionError("the last attempt returns or raises")


async def _attempt(
    participant: Participant, request: room_proto.PerformRpcRequest, seconds: float
) -> room_proto.PerformRpcResponse:
    try:
        async with asyncio.timeout(seconds):
            payload = await participant.server_rpc.perform(
                request.method, request.payload, request.response_timeout_ms
            )
    except ServerRpcError as error:
        raise internal_error(_CODES.get(error.code, "internal"), str(error)) from None
    except UnreachableError as error:
        raise internal_error("internal", str(error)) from None
    except TimeoutError:
        raise internal_error("deadline_exceeded", "request timed out") from None
    return room_proto.PerformRpcResponse(payload=payload)
