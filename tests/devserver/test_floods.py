"""Floods and half-open connections: nobody in another room notices them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import socket
from typing import TYPE_CHECKING

import pytest
from livekit.protocol import agent, models, rtc

from devserver import Limits, RoomServer
from tests.devserver.raw_peer import RawPeer
from tests.devserver.raw_signal import RawSignal
from tests.devserver.raw_worker import worker_connections
from tests.room_server import API_KEY, API_SECRET, RoomServerUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import aiohttp

WITHIN = 30.0
WORKERS = 20
HURRIED = Limits(request_timeout=1.0)
JSON = {"Content-Type": "application/json"}


def limited(limits: Limits) -> pytest.MarkDecorator:
    """Give the test's `server` these limits in place of the default ones."""
    return pytest.mark.parametrize("server", [limits], indirect=True, ids=["limited"])


@pytest.fixture
async def server(request: pytest.FixtureRequest) -> AsyncGenerator[RoomServerUnderTest]:
    limits: Limits = getattr(request, "param", Limits())
    async with RoomServer(api_key=API_KEY, api_secret=API_SECRET, limits=limits) as embedded:
        yield RoomServerUnderTest(embedded.url, API_KEY, API_SECRET, embedded)


@pytest.fixture
async def neighbour(server: RoomServerUnderTest) -> AsyncGenerator[RawPeer]:
    async with RawPeer(server, server.token("neighbour", "next door")) as peer:
        yield peer


@contextlib.asynccontextmanager
async def connection(
    server: RoomServerUnderTest,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield reader, writer
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def is_well(neighbour: RawPeer) -> None:
    async with asyncio.timeout(WITHIN):
        await neighbour.signal.send(rtc.SignalRequest(ping=1))
        await neighbour.signal.next("pong")


async def test_a_flood_of_requests_is_answered_and_others_have_their_turn(
    server: RoomServerUnderTest, neighbour: RawPeer
) -> None:
    request = rtc.SignalRequest(ping=1).SerializeToString()
    frame = bytes((0x82, 0x80 | len(request), 0, 0, 0, 0)) + request
    count = 30_000
    async with RawPeer(server, server.token("mallory", "room")) as mallory:
        transport = mallory.signal.socket.get_extra_info("socket")
        sending = asyncio.get_running_loop().run_in_executor(
            None, lambda: _send_all(transport.fileno(), frame * count)
        )
        answered = 0
        turns = 0
        async with asyncio.timeout(WITHIN):
            while answered < count:
                await mallory.signal.next("pong")
                answered += 1
                if answered % 1_000 == 0:
                    await is_well(neighbour)
                    turns += 1
        await sending
        assert turns == count // 1_000
        await is_well(mallory)


def _send_all(descriptor: int, data: bytes) -> None:
    """Write to a socket of aiohttp's, which is no blocking one and has nothing else to send."""
    at = 0
    while at < len(data):
        select.select([], [descriptor], [])
        at += os.write(descriptor, data[at : at + 65_536])


@limited(HURRIED)
async def test_half_open_connections_are_closed(
    server: RoomServerUnderTest, neighbour: RawPeer
) -> None:
    begun = (
        b"",
        b"GET /rtc/v1?access_to",
        b"GET /rtc/v1 HTTP/1.1\r\nHost: here\r\nX: ",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    )
    async with contextlib.AsyncExitStack() as stack:
        readers: list[asyncio.StreamReader] = []
        for number in range(60):
            reader, writer = await stack.enter_async_context(connection(server))
            writer.write(begun[number % len(begun)])
            readers.append(reader)
        await is_well(neighbour)
        async with RawSignal(server, server.token("newcomer", "next door")) as newcomer:
            await newcomer.next("join")
        async with asyncio.timeout(WITHIN):
            for reader in readers:
                with contextlib.suppress(ConnectionError):
                    await reader.read()  # to its end
    await is_well(neighbour)


@limited(HURRIED)
async def test_a_connection_that_made_a_request_stays_open(server: RoomServerUnderTest) -> None:
    request = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
    async with connection(server) as (reader, writer), asyncio.timeout(WITHIN):
        for _ in range(2):
            writer.write(request)
            assert (await reader.readuntil(b"\r\n\r\nOK")).startswith(b"HTTP/1.1 200 OK")
            async with connection(server) as (silent, _):
                assert await silent.read() == b""  # so the other's time is over as well


@limited(HURRIED)
async def test_a_body_that_does_not_come_is_answered(server: RoomServerUnderTest) -> None:
    async with connection(server) as (reader, writer), asyncio.timeout(WITHIN):
        writer.write(
            b"POST /twirp/livekit.RoomService/ListRooms HTTP/1.1\r\nHost: here\r\n"
            b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")


@limited(Limits(join_timeout=5.0))  # the neighbour has to connect within it
async def test_joins_that_go_no_further_end(
    server: RoomServerUnderTest, neighbour: RawPeer
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        joined = [
            await stack.enter_async_context(
                RawSignal(server, server.token(f"mallory-{number}", "room"))
            )
            for number in range(40)
        ]
        await is_well(neighbour)
        for signal in joined:
            await signal.closed()
    await is_well(neighbour)
    assert server.embedded is not None
    assert not server.embedded.rooms["room"].participants


async def test_an_empty_datagram_to_its_port_ends_no_connection(
    neighbour: RawPeer,
) -> None:
    address = next(each for each in neighbour.candidates if ":" not in each[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"", address)
    channel = neighbour.channels["_reliable"]
    assert neighbour.server.embedded is not None
    room = neighbour.server.embedded.rooms["next door"]
    async with RawPeer(neighbour.server, neighbour.server.token("reader", "next door")) as reader:
        await reader.received_on(
            "_reliable", lambda: channel.send(_packet(b"still here")), b"still here"
        )
    assert "neighbour" in room.participants


async def test_a_flood_of_data_leaves_another_room_its_own(
    server: RoomServerUnderTest, neighbour: RawPeer
) -> None:
    async with (
        RawPeer(server, server.token("mallory", "room")) as mallory,
        RawPeer(server, server.token("victim", "room")),
        RawPeer(server, server.token("reader", "next door")) as reader,
    ):
        read: asyncio.Queue[bytes] = asyncio.Queue()
        reader.channels["_reliable"].on("message", read.put_nowait)
        for _ in range(50):
            for _ in range(40):
                mallory.channels["_lossy"].send(_packet(b"x" * 1_000))
            neighbour.channels["_reliable"].send(_packet(b"hello"))
            async with asyncio.timeout(WITHIN):
                assert b"hello" in await read.get()
        await is_well(mallory)


@limited(Limits(workers=WORKERS))
async def test_workers_that_say_nothing_give_their_places_to_others(
    server: RoomServerUnderTest, neighbour: RawPeer
) -> None:
    handshake = (
        f"GET /agent HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==\r\n"
        f"Authorization: Bearer {server.token(agent=True)}\r\n\r\n"
    ).encode()
    begun_frame = b"\x82\xfe\xff\xff"  # of 65,535 bytes, which never come
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(WITHIN):
        connect = await stack.enter_async_context(worker_connections(server))
        registered = await connect("registered")
        readers: list[asyncio.StreamReader] = []
        for number in range(3 * WORKERS):
            reader, writer = await stack.enter_async_context(connection(server))
            writer.write(handshake + begun_frame[: number % 5])
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            readers.append(reader)
        newcomer = await connect("newcomer")
        for reader in readers[: 2 * WORKERS]:
            with contextlib.suppress(ConnectionError):
                await reader.read()  # to its end
        await is_well(neighbour)
        await registered.ping()
        await newcomer.ping()


async def test_a_flood_of_a_worker_leaves_others_their_turn(
    server: RoomServerUnderTest, neighbour: RawPeer
) -> None:
    ping = agent.WorkerMessage(ping=agent.WorkerPing(timestamp=1)).SerializeToString()
    frame = bytes((0x82, 0x80 | len(ping), 0, 0, 0, 0)) + ping
    count = 10_000
    async with worker_connections(server) as connect:
        mallory = await connect("mallory")
        transport = mallory.socket.get_extra_info("socket")
        sending = asyncio.get_running_loop().run_in_executor(
            None, _send_all, transport.fileno(), frame * count
        )
        async with asyncio.timeout(WITHIN):
            for answered in range(1, count + 1):
                await mallory.receive("pong")
                if answered % 1_000 == 0:
                    await is_well(neighbour)
        await sending


def _packet(payload: bytes) -> bytes:
    return models.DataPacket(user=models.UserPacket(payload=payload)).SerializeToString()


async def test_a_flood_of_calls_leaves_another_room_its_own(
    server: RoomServerUnderTest, neighbour: RawPeer, http: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {server.token('', 'room', room_admin=True)}"}
    url = f"{server.http_url}/twirp/livekit.RoomService/ListParticipants"
    body = json.dumps({"room": "room", "padding": "x" * 100_000})

    async def call() -> int:
        async with http.post(url, data=body, headers=headers | JSON) as answer:
            return answer.status

    calls = asyncio.gather(*(call() for _ in range(300)))
    await is_well(neighbour)
    assert set(await calls) == {200}
    await is_well(neighbour)
