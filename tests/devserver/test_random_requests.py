"""Requests with random content at every entrance: none breaks the server, nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import TYPE_CHECKING

import aiohttp
import pytest
from livekit.protocol import agent, agent_dispatch, models, room, rtc

from devserver import RoomServer
from tests.devserver.random_messages import random_message
from tests.devserver.raw_signal import WITHIN, RawSignal, encoded
from tests.devserver.test_whip import offering
from tests.room_server import RoomServerUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from google.protobuf.message import Message

SEEDS = range(12)
MESSAGES = 25
KINDS = (models.DataPacket.RELIABLE, models.DataPacket.LOSSY)
METHODS: dict[str, type[Message]] = {
    "RoomService/CreateRoom": room.CreateRoomRequest,
    "RoomService/ListRooms": room.ListRoomsRequest,
    "RoomService/DeleteRoom": room.DeleteRoomRequest,
    "RoomService/ListParticipants": room.ListParticipantsRequest,
    "RoomService/GetParticipant": room.RoomParticipantIdentity,
    "RoomService/RemoveParticipant": room.RoomParticipantIdentity,
    "RoomService/MutePublishedTrack": room.MuteRoomTrackRequest,
    "RoomService/UpdateParticipant": room.UpdateParticipantRequest,
    "RoomService/UpdateSubscriptions": room.UpdateSubscriptionsRequest,
    "RoomService/SendData": room.SendDataRequest,
    "RoomService/UpdateRoomMetadata": room.UpdateRoomMetadataRequest,
    "AgentDispatchService/CreateDispatch": agent_dispatch.CreateAgentDispatchRequest,
    "AgentDispatchService/ListDispatch": agent_dispatch.ListAgentDispatchRequest,
    "AgentDispatchService/DeleteDispatch": agent_dispatch.DeleteAgentDispatchRequest,
}


@pytest.fixture
async def server(caplog: pytest.LogCaptureFixture) -> AsyncGenerator[RoomServerUnderTest]:
    """An embedded server; at the end of the test somebody has been in another room all the time."""
    async with RoomServer() as embedded:
        under_test = RoomServerUnderTest(
            embedded.url, embedded.api_key, embedded.api_secret, embedded
        )
        async with RawSignal(under_test, under_test.token("bystander", "elsewhere")) as bystander:
            await bystander.next("join")
            yield under_test
            await bystander.send(rtc.SignalRequest(ping=1))
            await bystander.next("pong")
    records = (*caplog.get_records("call"), *caplog.get_records("teardown"))
    # Not those of the SDK, about a room of a test before.
    own = [each for each in records if each.name.startswith("devserver")]
    errors = [each.getMessage() for each in own if each.levelno >= logging.ERROR]
    assert not errors, "what a client sends is no error of the server"


@pytest.mark.parametrize("seed", SEEDS)
async def test_of_clients(server: RoomServerUnderTest, seed: int) -> None:
    choice = random.Random(seed)  # noqa: S311  repeatable, no secret
    for _ in range(4):
        async with RawSignal(server, server.token("someone", "room")) as client:
            for _ in range(MESSAGES):
                with contextlib.suppress(ConnectionError):
                    await client.send(random_message(rtc.SignalRequest, choice))
            await client.socket.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_to_join(server: RoomServerUnderTest, seed: int) -> None:
    choice = random.Random(seed)  # noqa: S311
    async with aiohttp.ClientSession() as session:
        for _ in range(MESSAGES):
            request = random_message(rtc.JoinRequest, choice)
            token = server.token("someone", "room", can_update_own_metadata=True)
            params = {"access_token": token, "join_request": encoded(request)}
            with contextlib.suppress(aiohttp.WSServerHandshakeError):
                async with session.ws_connect(f"{server.http_url}/rtc/v1", params=params):
                    pass


@pytest.mark.parametrize("seed", SEEDS)
async def test_of_backends(server: RoomServerUnderTest, seed: int) -> None:
    choice = random.Random(seed)  # noqa: S311
    async with (
        aiohttp.ClientSession() as session,
        RawSignal(server, server.token("a", "a")) as client,
    ):
        await client.next("join")
        for method, kind in METHODS.items():
            for _ in range(4):
                request = random_message(kind, choice)
                name = getattr(request, "room", "") or getattr(request, "name", "")
                token = server.token("", name, room_create=True, room_list=True, room_admin=True)
                async with session.post(
                    f"{server.http_url}/twirp/livekit.{method}",
                    data=request.SerializeToString(),
                    headers={
                        "Authorization": f"Bearer {token}",
                        "Content-Type": "application/protobuf",
                    },
                ) as response:
                    assert response.status in (200, 400, 401, 404, 412, 429, 503), method


@pytest.mark.parametrize("seed", SEEDS)
async def test_of_workers(server: RoomServerUnderTest, seed: int) -> None:
    choice = random.Random(seed)  # noqa: S311
    headers = {"Authorization": f"Bearer {server.token(agent=True)}"}
    async with aiohttp.ClientSession() as session:
        for _ in range(4):
            async with session.ws_connect(f"{server.http_url}/agent", headers=headers) as socket:
                register = agent.RegisterWorkerRequest(agent_name="a")
                await socket.send_bytes(agent.WorkerMessage(register=register).SerializeToString())
                for _ in range(MESSAGES):
                    with contextlib.suppress(ConnectionError):
                        message = random_message(agent.WorkerMessage, choice)
                        await socket.send_bytes(message.SerializeToString())


@pytest.mark.parametrize("seed", SEEDS)
async def test_on_data_channels(server: RoomServerUnderTest, seed: int) -> None:
    choice = random.Random(seed)  # noqa: S311
    assert server.embedded is not None
    async with (
        RawSignal(server, server.token("sender", "room")) as sender,
        RawSignal(server, server.token("reader", "room")) as reader,
    ):
        await sender.next("join")
        await reader.next("join")
        participant = server.embedded.rooms["room"].participants["sender"]
        for _ in range(4 * MESSAGES):
            packet = random_message(models.DataPacket, choice).SerializeToString()
            damaged = packet[: choice.randrange(len(packet) + 1)] + choice.randbytes(3)
            for data in (packet, damaged):
                participant.receive_data(data, choice.choice(KINDS))
            participant.data_tracks.receive(choice.randbytes(choice.randrange(40)))


@pytest.mark.parametrize("seed", SEEDS)
async def test_of_publishers_by_whip(server: RoomServerUnderTest, seed: int) -> None:
    choice = random.Random(seed)  # noqa: S311
    headers = {"Authorization": f"Bearer {server.token('publisher', 'room')}"}
    url = f"{server.http_url}/whip/v1"
    async with offering() as (_, offer), aiohttp.ClientSession(headers=headers) as session:
        for _ in range(MESSAGES):
            body = bytearray(offer.encode())
            for _ in range(choice.choice((0, 1, 20))):
                at = choice.randrange(len(body))
                body[at : at + choice.randrange(30)] = choice.randbytes(choice.randrange(10))
            sdp = {"Content-Type": "application/sdp"}
            async with session.post(url, data=bytes(body), headers=sdp) as response:
                assert response.status in (201, 400, 503), await response.text()
                path = response.headers.get("Location", "/whip/v1/PA_none")
                fragment = {
                    "Content-Type": "application/trickle-ice-sdpfrag",
                    "If-Match": response.headers.get("ETag", "*"),
                }
            for data in (bytes(body), choice.randbytes(30)):
                async with session.patch(
                    server.http_url + path, data=data, headers=fragment
                ) as response:
                    assert response.status in (204, 400, 404, 500)
            async with session.delete(server.http_url + path) as response:
                assert response.status in (200, 404)


async def test_that_never_end(server: RoomServerUnderTest) -> None:
    assert server.embedded is not None
    connections = [
        await asyncio.open_connection(server.embedded.host, server.embedded.port) for _ in range(50)
    ]
    for number, (_, writer) in enumerate(connections):
        writer.write(b"GET /rtc/v1?join_request=" + b"A" * (number * 100))
    async with RawSignal(server, server.token("someone", "room")) as client:
        await client.next("join")
    for _, writer in connections:
        writer.close()
    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*(writer.wait_closed() for _, writer in connections))
