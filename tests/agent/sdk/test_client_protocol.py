"""The SDK has the `client_protocol` of participants where agent/sdk/client_protocol.py reads it."""

from __future__ import annotations

from livekit import api

from agent.sdk.client_protocol import client_protocol
from tests.conftest import Join


async def test_it_is_what_the_server_says(
    join: Join, lk_api: api.LiveKitAPI, room_name: str
) -> None:
    room = await join("ana")
    await join("bob")
    told = await lk_api.room.get_participant(
        api.RoomParticipantIdentity(room=room_name, identity="ana")
    )
    assert told.client_protocol >= 2
    other = await join("carol")
    assert client_protocol(other.remote_participants["ana"]) == told.client_protocol
    assert room.local_participant.identity == "ana"
