"""Egress, Ingress and SIP, which need Redis, answer as livekit-server without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from livekit import api

if TYPE_CHECKING:
    from tests.devserver.twirp_client import TwirpClient
    from tests.room_server import RoomServerUnderTest

NO_RESPONSE = (503, "unavailable", "twirp error unknown: no response from servers")
NO_SUCH_PARTICIPANT = (404, "not_found", "twirp error unknown: participant does not exist")
NO_SUCH_ROOM = (404, "not_found", "twirp error unknown: requested room does not exist")
PERMISSION_DENIED = (401, "unauthenticated", "permissions denied")
SOMEONE = {"room_name": "none", "participant_identity": "someone"}


EGRESS_NEEDS_REDIS = "twirp error unknown: egress not connected (redis required)"
INGRESS_NEEDS_REDIS = "twirp error unknown: ingress not connected (redis required)"
SIP_NEEDS_REDIS = "twirp error unknown: sip not connected (redis required)"


class TestWithoutRedis:
    @pytest.mark.parametrize(
        ("method", "request_", "error"),
        [
            ("Egress/StartWebEgress", {}, NO_RESPONSE),
            ("Egress/StartRoomCompositeEgress", {"room_name": "none"}, NO_SUCH_ROOM),
            ("Egress/ListEgress", {}, (500, "internal", EGRESS_NEEDS_REDIS)),
            ("Egress/StopEgress", {"egress_id": "EG_x"}, (500, "internal", EGRESS_NEEDS_REDIS)),
            ("Ingress/CreateIngress", {}, (500, "internal", INGRESS_NEEDS_REDIS)),
            (
                "Ingress/CreateIngress",
                {"input_type": 9},
                (400, "invalid_argument", "twirp error unknown: invalid ingress type"),
            ),
            ("Ingress/ListIngress", {}, (500, "internal", INGRESS_NEEDS_REDIS)),
            ("Ingress/DeleteIngress", {}, (500, "internal", "Internal service panic")),
            ("SIP/ListSIPInboundTrunk", {}, (500, "internal", SIP_NEEDS_REDIS)),
            ("SIP/CreateSIPDispatchRule", {}, (500, "internal", SIP_NEEDS_REDIS)),
            ("SIP/CreateSIPParticipant", {}, (500, "internal", SIP_NEEDS_REDIS)),
            (
                "SIP/TransferSIPParticipant",
                {},
                (400, "invalid_argument", "twirp error unknown: Missing room name"),
            ),
            (
                "SIP/TransferSIPParticipant",
                SOMEONE,
                (400, "invalid_argument", "missing transfer to"),
            ),
            (
                "SIP/TransferSIPParticipant",
                {**SOMEONE, "transfer_to": "+1234567"},
                (
                    400,
                    "invalid_argument",
                    "transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)",
                ),
            ),
            *(
                ("SIP/TransferSIPParticipant", {**SOMEONE, "transfer_to": uri}, NO_SUCH_PARTICIPANT)
                for uri in ("tel:+1234567", "<sip:someone@example.com>")
            ),
        ],
    )
    async def test_operations_that_need_it_are_refused(
        self,
        room_server: RoomServerUnderTest,
        twirp: TwirpClient,
        method: str,
        request_: dict[str, Any],
        error: tuple[int, str, str],
    ) -> None:
        token = (
            api.AccessToken(room_server.api_key, room_server.api_secret)
            .with_grants(
                api.VideoGrants(room="none", room_admin=True, room_record=True, ingress_admin=True)
            )
            .with_sip_grants(api.SIPGrants(admin=True, call=True))
            .to_jwt()
        )
        assert (await twirp.call(method, request_, token=token)).error == error

    @pytest.mark.parametrize(
        "method",
        [
            "Egress/StartWebEgress",
            "Egress/ListEgress",
            "Ingress/ListIngress",
            "Ingress/DeleteIngress",
            "SIP/ListSIPInboundTrunk",
            "SIP/CreateSIPParticipant",
        ],
    )
    async def test_permission_is_checked_first(self, twirp: TwirpClient, method: str) -> None:
        assert (await twirp.call(method, {})).error == PERMISSION_DENIED
