"""Signalling v0, by hand: what the query says, who is offered what, and what ends a session."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import aiohttp
import pytest
from livekit.protocol import models, rtc

from tests.devserver.raw_signal import RawSignal, join_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.room_server import RoomServerUnderTest

SDK = {"sdk": "android", "version": "2.0.0", "protocol": "13", "auto_subscribe": "1"}


def attributes(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def query(**more: str) -> Mapping[str, str]:
    return {**SDK, **more}


class TestJoin:
    async def test_a_subscriber_is_offered_a_connection_for_data(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name)
        async with RawSignal(room_server, token, query=query()) as signal:
            joined = (await signal.next("join")).join
            assert joined.subscriber_primary
            assert joined.fast_publish
            assert joined.participant.identity == "someone"
            offer = (await signal.next("offer")).offer
            assert offer.type == "offer"
            assert offer.id > 0
            assert "m=application" in offer.sdp

    @pytest.mark.parametrize(("more", "can_subscribe"), [({"protocol": "2"}, True), ({}, False)])
    async def test_a_client_without_subscriptions_is_offered_nothing(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        more: dict[str, str],
        can_subscribe: bool,
    ) -> None:
        token = room_server.token("someone", room_name, can_subscribe=can_subscribe)
        async with RawSignal(room_server, token, query=query(**more)) as signal:
            assert not (await signal.next("join")).join.subscriber_primary
            await signal.send(rtc.SignalRequest(ping=1))
            kinds = await signal.kinds_until("pong")
            assert "offer" not in kinds

    async def test_a_join_request_means_one_connection(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name)
        async with RawSignal(room_server, token, path="/rtc") as signal:
            assert not (await signal.next("join")).join.subscriber_primary
            await signal.send(rtc.SignalRequest(ping=1))
            assert "offer" not in await signal.kinds_until("pong")

    async def test_the_reported_client_info(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name, can_update_own_metadata=True)
        said = query(
            client_protocol="1",
            capabilities="CAP_PACKET_TRAILER, unknown,",
            attributes=attributes({"mood": "good", "empty": ""}),
        )
        async with RawSignal(room_server, token, query=said) as signal:
            info = (await signal.next("join")).join.participant
        assert info.client_protocol == 1
        assert list(info.capabilities) == [models.ClientInfo.CAP_PACKET_TRAILER]
        assert dict(info.attributes) == {"mood": "good"}

    @pytest.mark.parametrize("number", ["x", "", "9" * 5000, "-1", "\u0663"])
    async def test_a_protocol_that_is_not_a_number_is_unknown(
        self, room_server: RoomServerUnderTest, room_name: str, number: str
    ) -> None:
        token = room_server.token("someone", room_name)
        async with RawSignal(room_server, token, query=query(protocol=number)) as signal:
            assert not (await signal.next("join")).join.subscriber_primary

    async def test_a_second_session_that_only_publishes(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name)
        async with RawSignal(room_server, token, query=query(publish="screen")) as signal:
            joined = (await signal.next("join")).join
        assert joined.participant.identity == "someone#screen"
        assert not joined.participant.permission.can_subscribe
        assert not joined.subscriber_primary

    @pytest.mark.parametrize(("protocol", "has_action"), [("12", False), ("13", True)])
    async def test_one_without_a_session_to_resume_joins_again(
        self, room_server: RoomServerUnderTest, room_name: str, protocol: str, *, has_action: bool
    ) -> None:
        token = room_server.token("someone", room_name)
        said = query(protocol=protocol, reconnect="1", sid="PA_unknown")
        async with RawSignal(room_server, token, query=said) as signal:
            leave = (await signal.next("leave")).leave
        assert leave.reason == models.DisconnectReason.STATE_MISMATCH
        assert leave.action == (
            rtc.LeaveRequest.RECONNECT if has_action else rtc.LeaveRequest.DISCONNECT
        )
        assert leave.can_reconnect is not has_action


class TestRefusals:
    @pytest.mark.parametrize("path", ["/rtc", "/rtc/v1"])
    async def test_requests_without_a_websocket(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession, path: str
    ) -> None:
        async with http.get(room_server.http_url + path) as response:
            assert (response.status, await response.text()) == (404, "")

    @pytest.mark.parametrize(
        ("more", "grants", "answer"),
        [
            ({"attributes": "*"}, {}, (400, "cannot decode attributes")),
            ({"attributes": attributes(["no", "object"])}, {}, (400, "cannot decode attributes")),
            ({"attributes": attributes({"no": 1})}, {}, (400, "cannot decode attributes")),
            (
                {"attributes": attributes({"key": "value"})},
                {},
                (401, "no permissions to access the room"),
            ),
            ({"attributes": attributes({"key": "value"})}, {"can_update_own_metadata": True}, None),
            ({"attributes": attributes(None)}, {}, None),
            ({"publish": "x"}, {"can_publish": False}, (401, "no permissions to access the room")),
        ],
    )
    async def test_validation(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        http: aiohttp.ClientSession,
        more: dict[str, str],
        grants: dict[str, bool],
        answer: tuple[int, str] | None,
    ) -> None:
        token = room_server.token("someone", room_name, **grants)
        url = f"{room_server.http_url}/rtc/validate"
        async with http.get(url, params={"access_token": token, **query(**more)}) as response:
            assert (response.status, await response.text()) == (answer or (200, "success"))

    async def test_unreadable_attributes_are_dropped_on_joining(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name)
        async with RawSignal(room_server, token, query=query(attributes="*")) as signal:
            assert not (await signal.next("join")).join.participant.attributes

    @pytest.mark.parametrize(
        ("request_", "more"),
        [
            (join_request(participant_attributes={"key": "x" * 65_536}), None),
            (join_request(metadata="x" * (512 * 1024 + 1)), None),
            (None, {"attributes": attributes({"key": "x" * 65_536})}),
        ],
        ids=["attributes of v1", "metadata of v1", "attributes of v0"],
    )
    async def test_a_participant_with_too_large_attributes_is_refused(
        self,
        room_server: RoomServerUnderTest,
        room_name: str,
        request_: rtc.JoinRequest | None,
        more: dict[str, str] | None,
    ) -> None:
        token = room_server.token("someone", room_name, can_update_own_metadata=True)
        said = None if more is None else query(**more)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with RawSignal(room_server, token, request_, query=said):
                pass
        assert refused.value.status == 500

    async def test_the_handshake_says_what_is_wrong(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name, room_join=False)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with RawSignal(room_server, token, query=query()):
                pass
        assert refused.value.status == 401


class TestAnswers:
    """The client's answers to the server's offers, wrong in every way."""

    async def test_a_garbled_one_has_the_client_join_again(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name)
        async with RawSignal(room_server, token, query=query()) as signal:
            offer = (await signal.next("offer")).offer
            answer = rtc.SessionDescription(type="answer", sdp="v=0\r\nnonsense", id=offer.id)
            await signal.send(rtc.SignalRequest(answer=answer))
            leave = (await signal.next("leave")).leave
            assert leave.reason == models.DisconnectReason.STATE_MISMATCH
            assert leave.action == rtc.LeaveRequest.RECONNECT
            await signal.closed()

    async def test_one_to_another_offer_is_ignored(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name)
        async with RawSignal(room_server, token, query=query()) as signal:
            offer = (await signal.next("offer")).offer
            answer = rtc.SessionDescription(type="answer", sdp="nonsense", id=offer.id + 1)
            await signal.send(rtc.SignalRequest(answer=answer))
            await signal.send(rtc.SignalRequest(ping=1))
            assert "leave" not in await signal.kinds_until("pong")

    async def test_one_without_an_offer_is_ignored(
        self, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        token = room_server.token("someone", room_name)
        async with RawSignal(room_server, token, join_request(), path="/rtc") as signal:
            await signal.next("join")
            for number in range(100):
                answer = rtc.SessionDescription(type="answer", sdp="nonsense", id=number)
                await signal.send(rtc.SignalRequest(answer=answer))
            await signal.send(rtc.SignalRequest(ping=1))
            assert "leave" not in await signal.kinds_until("pong")
