"""Errors of the server API over Twirp: unknown, oversized and invalid arguments."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.devserver.twirp_client import TwirpClient

TOO_MUCH = 600_000
NO_SUCH_ROOM = (404, "not_found", "twirp error unknown: requested room does not exist")
NO_SUCH_PARTICIPANT = (404, "not_found", "twirp error unknown: participant does not exist")
NO_RESPONSE = (503, "unavailable", "twirp error unknown: no response from servers")


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "request_", "error"),
        [
            ("RoomService/DeleteRoom", {}, NO_SUCH_ROOM),
            ("RoomService/UpdateRoomMetadata", {"metadata": "x"}, NO_SUCH_ROOM),
            ("RoomService/GetParticipant", {"identity": "nobody"}, NO_SUCH_PARTICIPANT),
            ("RoomService/RemoveParticipant", {"identity": "nobody"}, NO_SUCH_PARTICIPANT),
            ("RoomService/UpdateParticipant", {"identity": "nobody"}, NO_SUCH_PARTICIPANT),
            (
                "RoomService/PerformRpc",
                {},
                (400, "invalid_argument", "twirp error unknown: destination identity is required"),
            ),
            (
                "RoomService/SendData",
                {"data": "YQ==", "nonce": "YQ=="},
                (
                    400,
                    "invalid_argument",
                    "nonce should be 16-bytes or not present, got: 1 bytes",
                ),
            ),
        ],
    )
    async def test_unknown_things_are_not_found(
        self,
        twirp: TwirpClient,
        room_name: str,
        method: str,
        request_: dict[str, Any],
        error: tuple[int, str, str],
    ) -> None:
        answer = await twirp.call(method, {"room": room_name, **request_})
        assert answer.content_type == "application/json"
        assert answer.error == error

    async def test_requests_without_a_room(self, twirp: TwirpClient, room_name: str) -> None:
        requests: list[tuple[str, dict[str, Any]]] = [
            ("RoomService/MutePublishedTrack", {"identity": "nobody", "track_sid": "TR_x"}),
            ("RoomService/UpdateSubscriptions", {"identity": "nobody"}),
            ("RoomService/SendData", {"data": "YQ=="}),
            ("RoomService/PerformRpc", {"destination_identity": "nobody", "method": "x"}),
            ("RoomService/ForwardParticipant", {"identity": "nobody"}),
            ("RoomService/MoveParticipant", {"identity": "nobody"}),
            ("AgentDispatchService/ListDispatch", {}),
            ("AgentDispatchService/DeleteDispatch", {"dispatch_id": "AD_x"}),
        ]
        # livekit-server takes three seconds for each.
        answers = await asyncio.gather(
            *(twirp.call(method, {"room": room_name, **request}) for method, request in requests)
        )
        assert [answer.error for answer in answers] == [NO_RESPONSE] * len(requests)

    async def test_an_unknown_room_has_no_participants(
        self, twirp: TwirpClient, room_name: str
    ) -> None:
        answer = await twirp.call("RoomService/ListParticipants", {"room": room_name})
        assert answer == (200, "application/json", {"participants": []})

    @pytest.mark.parametrize(
        ("method", "request_", "message"),
        [
            (
                "RoomService/CreateRoom",
                {"name": "x" * 257},
                "twirp error unknown: room name length exceeds limits: max length 256",
            ),
            (
                "RoomService/CreateRoom",
                {"name": "x", "metadata": "x" * TOO_MUCH},
                "metadata size exceeds limits 524288",
            ),
            (
                "RoomService/CreateRoom",
                {"name": "x", "agents": [{"metadata": "x" * TOO_MUCH}]},
                "metadata size exceeds limits 524288",
            ),
            (
                "RoomService/CreateRoom",
                {"name": "x", "agents": [{"attributes": {"a": "x" * TOO_MUCH}}]},
                "attribute size exceeds limits 65536",
            ),
            (
                "RoomService/CreateRoom",
                {"name": "x", "room_preset": "unheard-of"},
                "twirp error unknown: unknown room configuration in create room request",
            ),
            (
                "RoomService/UpdateParticipant",
                {"room": "x", "identity": "x", "name": "x" * 257},
                "name length exceeds limits 256",
            ),
            (
                "RoomService/UpdateParticipant",
                {"room": "x", "identity": "x", "metadata": "x" * TOO_MUCH},
                "metadata size exceeds limits 524288",
            ),
            (
                "RoomService/UpdateParticipant",
                {"room": "x", "identity": "x", "attributes": {"a": "x" * TOO_MUCH}},
                "attribute size exceeds limits 65536",
            ),
            (
                "RoomService/UpdateRoomMetadata",
                {"room": "x", "metadata": "x" * TOO_MUCH},
                "metadata size exceeds limits 524288",
            ),
            (
                "AgentDispatchService/CreateDispatch",
                {"room": "x", "metadata": "x" * TOO_MUCH},
                "twirp error unknown: metadata size exceeds limits",
            ),
            (
                "AgentDispatchService/CreateDispatch",
                {"room": "x", "attributes": {"a": "x" * TOO_MUCH}},
                "twirp error unknown: attribute size exceeds limits",
            ),
            (
                "AgentDispatchService/CreateDispatch",
                {"room": "x", "deployment": "a_b"},
                "twirp error unknown: deployment contains reserved character '_'",
            ),
            (
                "AgentDispatchService/CreateDispatch",
                {"room": "x", "deployment": "a b"},
                "twirp error unknown: deployment contains whitespace or control byte at position 1",
            ),
            (
                "AgentDispatchService/CreateDispatch",
                {"room": "x", "deployment": "a" * 65},
                "twirp error unknown: deployment exceeds 64 bytes",
            ),
        ],
    )
    async def test_oversized_or_invalid_input(
        self, twirp: TwirpClient, method: str, request_: dict[str, Any], message: str
    ) -> None:
        answer = await twirp.call(method, request_)
        assert answer.error == (400, "invalid_argument", message)
