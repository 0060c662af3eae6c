"""RoomService.PerformRpc, for which livekit-api 1.2 has no method yet.

Checked by tests/agent/host/test_seats.py, which probes a living agent with it.
"""

from __future__ import annotations

from livekit import api
from livekit.api.room_service import RoomService
from livekit.protocol import room as room_protocol


async def perform_rpc(
    service: RoomService, room: str, identity: str, method: str, payload: str
) -> str:
    """Calls a participant's RPC method in the name of the server; returns the response.

    Raises:
        api.TwirpError: the server's error.
        aiohttp.ClientError: the server cannot be reached.
    """
    request = room_protocol.PerformRpcRequest(
        room=room, destination_identity=identity, method=method, payload=payload
    )
    grants = api.VideoGrants(room_admin=True, room=room)
    response = await service._client.request(  # pyright: ignore[reportPrivateUsage]
        "RoomService",
        "PerformRpc",
        request,
        service._auth_header(grants),  # pyright: ignore[reportPrivateUsage]
        room_protocol.PerformRpcResponse,
    )
    return response.payload
