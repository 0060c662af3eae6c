"""The embedded server's own means for tests: record of packets, faults, cut, restart."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from livekit import api, rtc
from livekit.protocol import models

from devserver import ForwardedPacket, Participant, RoomServer
from tests.devserver.dispatches import dispatch, one_job
from tests.devserver.published_media import picture, shows
from tests.devserver.raw_worker import WorkerClosedError, worker_connections
from tests.devserver.room_events import WITHIN, RoomEvents
from tests.room_server import embedded_room_server
from tests.webhook_receiver import WebhookReceiver

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ROOM = "room"


def token(server: RoomServer, identity: str) -> str:
    grants = api.VideoGrants(room_join=True, room=ROOM)
    access_token = api.AccessToken(server.api_key, server.api_secret)
    return access_token.with_identity(identity).with_grants(grants).to_jwt()


async def connected(
    server: RoomServer, identity: str, options: rtc.RoomOptions | None = None
) -> rtc.Room:
    room = rtc.Room()
    await room.connect(server.url, token(server, identity), options or rtc.RoomOptions())
    return room


@pytest.fixture
async def server() -> AsyncGenerator[RoomServer]:
    async with RoomServer(timing="instant") as running:
        yield running


@pytest.fixture(params=[True, False], ids=["one connection", "two connections"])
async def pair(
    server: RoomServer, request: pytest.FixtureRequest
) -> AsyncGenerator[tuple[rtc.Room, rtc.Room]]:
    options = rtc.RoomOptions(single_peer_connection=request.param)
    first = await connected(server, "first", options)
    second = await connected(server, "second", options)
    yield first, second
    await asyncio.gather(first.disconnect(), second.disconnect())


def inside(server: RoomServer, identity: str) -> Participant:
    return server.rooms[ROOM].participants[identity]


class TestRecord:
    async def test_packets_are_recorded_with_sender_and_recipients(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        first, _ = pair
        third = await connected(server, "third")
        participant = first.local_participant
        await participant.publish_data(b"hello", topic="greeting", reliable=False)
        await participant.publish_data(b"psst", topic="secret", destination_identities=["third"])
        async with asyncio.timeout(WITHIN):
            await server.packets.wait_for(lambda packet: packet.topic == "secret")
            while len(server.packets.matching(lambda packet: packet.topic == "greeting")) < 2:
                await server.packets.wait_for_next()
        greetings = server.packets.matching(lambda packet: packet.topic == "greeting")
        assert {(p.sender, p.receiver) for p in greetings} == {
            ("first", "second"),
            ("first", "third"),
        }
        assert not any(packet.reliable for packet in greetings)
        (secret,) = server.packets.matching(lambda packet: packet.topic == "secret")
        assert (secret.sender, secret.receiver, secret.reliable) == ("first", "third", True)
        assert secret.destinations == ("third",)
        assert (secret.room, secret.kind) == (ROOM, "user")
        assert secret.packet.user.payload == b"psst"
        assert secret.size == len(secret.packet.SerializeToString())
        await third.disconnect()

    async def test_chunks_of_an_addressed_text_go_to_everyone(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        """Targeted streams go over the wire as the protocol says."""
        first, _ = pair
        writer = await first.local_participant.stream_text(
            topic="news", destination_identities=["nobody"]
        )
        await writer.write("not so secret")
        await writer.aclose()

        def is_trailer(packet: ForwardedPacket) -> bool:
            return packet.kind == "stream_trailer"

        async with asyncio.timeout(WITHIN):
            await server.packets.wait_for(is_trailer)
        kinds = {packet.kind for packet in server.packets}
        assert "stream_chunk" in kinds
        assert "stream_header" not in kinds

    async def test_it_is_cleared(self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]) -> None:
        await pair[0].local_participant.publish_data(b"hello")
        async with asyncio.timeout(WITHIN):
            await server.packets.wait_for(lambda packet: packet.sender == "first")
        server.packets.clear()
        assert not list(server.packets)


class TestFaults:
    async def test_delayed_data_keeps_its_order(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        first, second = pair
        told = RoomEvents(second, "data_received")
        server.faults.data_delay = 0.3
        begun = time.monotonic()
        await first.local_participant.publish_data(b"0")
        async with asyncio.timeout(WITHIN):
            await server.packets.wait_for(lambda packet: packet.sender == "first")
        server.faults.data_delay = 0.0
        for number in range(1, 20):
            await first.local_participant.publish_data(b"%d" % number)
        got = [(await told.next("data_received"))[0].data for _ in range(20)]
        assert got == [b"%d" % number for number in range(20)]
        assert time.monotonic() - begun >= 0.3

    async def test_lossy_data_is_lost_and_reliable_is_not(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        first, second = pair
        told = RoomEvents(second, "data_received")
        server.faults.data_loss = 1.0
        await first.local_participant.publish_data(b"lossy", reliable=False)
        await first.local_participant.publish_data(b"reliable")
        assert (await told.next("data_received"))[0].data == b"reliable"
        server.faults.data_loss = 0.0
        await first.local_participant.publish_data(b"lossy again", reliable=False)
        assert (await told.next("data_received"))[0].data == b"lossy again"

    async def test_signals_are_late(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        server.faults.signal_delay = 0.2
        told = RoomEvents(pair[1], "room_metadata_changed")
        begun = time.monotonic()
        server.rooms[ROOM].set_metadata("news")
        await told.next("room_metadata_changed")
        assert time.monotonic() - begun >= 0.2

    async def test_lost_pictures_are_made_up_for(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        first, second = pair
        told = RoomEvents(second, "track_subscribed")
        server.faults.media_loss = 0.1
        async with picture(first, 200):
            track, _, _ = await told.next("track_subscribed")
            assert await shows(track, 200)


class TestCut:
    async def test_a_cut_client_comes_back(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        first, second = pair
        own = RoomEvents(first, "reconnecting", "reconnected", "disconnected")
        told = RoomEvents(second, "data_received")
        others = RoomEvents(second, "participant_disconnected")
        session = first.local_participant.sid
        inside(server, "first").cut()
        await own.next("reconnecting")
        await own.next("reconnected")
        await first.local_participant.publish_data(b"back")
        assert (await told.next("data_received"))[0].data == b"back"
        assert not own.seen("disconnected")
        assert set(server.rooms[ROOM].participants) == {"first", "second"}
        assert inside(server, "first").sid == session == first.local_participant.sid
        assert not others.seen("participant_disconnected")

    async def test_it_learns_what_it_missed(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        first, _ = pair
        own = RoomEvents(first, "room_metadata_changed", "participant_connected")
        inside(server, "first").cut()
        server.rooms[ROOM].set_metadata("news")
        third = await connected(server, "third")
        await own.next("room_metadata_changed")
        (newcomer,) = await own.next("participant_connected")
        assert newcomer.identity == "third"
        await third.disconnect()

    async def test_a_session_that_cannot_go_on_is_started_again(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        first, second = pair
        own = RoomEvents(first, "reconnected", "disconnected")
        session = first.local_participant.sid
        # The server has given the session up; the client does not know.
        inside(server, "first").drop(models.DisconnectReason.CONNECTION_TIMEOUT)
        await own.next("reconnected")
        # The SDK's own object has the new sid a moment after the event.
        assert inside(server, "first").sid != session
        told = RoomEvents(second, "data_received")
        await first.local_participant.publish_data(b"back")
        assert (await told.next("data_received"))[0].data == b"back"
        assert not own.seen("disconnected")

    async def test_media_goes_on_after_a_cut(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        first, second = pair
        told = RoomEvents(second, "track_subscribed")
        own = RoomEvents(first, "reconnected")
        async with picture(first, 200):
            track, _, _ = await told.next("track_subscribed")
            assert await shows(track, 200)
            inside(server, "first").cut()
            await own.next("reconnected")
            subscribed = [
                publication.track
                for publication in second.remote_participants["first"].track_publications.values()
                if publication.track is not None
            ]
            if not subscribed:
                subscribed = [(await told.next("track_subscribed"))[0]]
            assert await shows(subscribed[0], 200)


class TestRestart:
    async def test_clients_join_the_new_server(
        self, server: RoomServer, pair: tuple[rtc.Room, rtc.Room]
    ) -> None:
        events = [RoomEvents(room, "disconnected", "reconnected") for room in pair]
        port = server.port
        await server.restart(announced=False)
        assert server.port == port
        for room_events in events:
            await room_events.next("reconnected")
        told = RoomEvents(pair[1], "data_received")
        await pair[0].local_participant.publish_data(b"again")
        assert (await told.next("data_received"))[0].data == b"again"

    async def test_a_crash_tells_no_worker_that_its_jobs_end(self) -> None:
        async with (
            WebhookReceiver() as webhooks,
            embedded_room_server(webhooks) as server,
            worker_connections(server) as connect,
            server.api() as lk_api,
        ):
            assert server.embedded is not None
            worker = await connect("someone")
            created = await dispatch(lk_api, ROOM, "someone")
            assignment = await worker.accept(await worker.offered_job())
            await one_job(lk_api, ROOM, created.id)
            agent = rtc.Room()
            back = RoomEvents(agent, "reconnected")
            await agent.connect(server.url, assignment.token)
            await server.embedded.restart(announced=False)
            with pytest.raises(WorkerClosedError):
                await worker.terminated_job()
            await back.next("reconnected")
            await agent.disconnect()

    async def test_a_server_that_stops_says_so(self) -> None:
        async with RoomServer() as server:
            room = await connected(server, "someone")
            told = RoomEvents(room, "disconnected")
        (reason,) = await told.next("disconnected")
        assert reason == rtc.DisconnectReason.SERVER_SHUTDOWN
        await room.disconnect()
