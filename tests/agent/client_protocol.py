"""Clients of other protocols than the SDK's."""

from __future__ import annotations

import pytest

from tests.room_server import RoomServerUnderTest


def lie_about_protocol(server: RoomServerUnderTest, room: str, identity: str, value: int) -> None:
    """Makes the room server report this `client_protocol` for a participant."""
    if server.embedded is None:
        pytest.skip("the SDK's clients all say client_protocol 2; only the embedded can lie")
    server.embedded.rooms[room].participants[identity].info.client_protocol = value
