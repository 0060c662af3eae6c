"""The data channel in a room: types in, envelopes out, sizes, and whose word counts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livekit import api, rtc

from agent.data.data_channel import MAX_WAITING, DataChannel
from agent.data.packet import Packet
from agent.inbox.people import Directory, People
from agent.wire.notices import Notices
from agent.wire.publish import MAX_LOSSY_BYTES, MAX_RELIABLE_BYTES, PacketTooLargeError
from agent.wire.refusal import Refusal
from tests.agent.chat_client import ChatClient
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest

WITHIN = 20.0


class Inside:
    """A room with a data channel, and what its handlers were given."""

    def __init__(self, room: rtc.Room, service: api.LiveKitAPI, name: str) -> None:
        self.room = room
        self.notices = Notices(room)
        people = People(room, Directory(service, name))
        self.channel = DataChannel(room, people=people, notices=self.notices)
        self.channel.open()
        self.taken: list[Packet[Any]] = []
        self._changed = asyncio.Event()

    def take(self, packet: Packet[Any]) -> None:
        self.taken.append(packet)
        self._changed.set()

    async def take_later(self, packet: Packet[Any]) -> None:
        await asyncio.get_running_loop().run_in_executor(None, str, packet.id)
        self.take(packet)

    async def until_taken(self, number: int) -> list[Packet[Any]]:
        async with asyncio.timeout(WITHIN):
            while len(self.taken) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.taken


Pair = tuple[Inside, ChatClient]


@asynccontextmanager
async def person(
    identity: str, server: RoomServerUnderTest, room: str
) -> AsyncGenerator[ChatClient]:
    client = ChatClient()
    await client.room.connect(server.url, server.token(identity, room))
    yield client
    await client.room.disconnect()


@pytest.fixture
async def bob(room_server: RoomServerUnderTest, room_name: str) -> AsyncGenerator[ChatClient]:
    async with person("bob", room_server, room_name) as client:
        yield client


@pytest.fixture
async def eve(room_server: RoomServerUnderTest, room_name: str) -> AsyncGenerator[ChatClient]:
    async with person("eve", room_server, room_name) as client:
        yield client


@pytest.fixture
async def inside(
    bob: ChatClient, join: Join, lk_api: api.LiveKitAPI, room_name: str
) -> AsyncGenerator[Inside]:
    """The channel of somebody who finds bob in the room, and so knows him at once."""
    made: list[Inside] = []
    await join("agent", prepare=lambda room: made.append(Inside(room, lk_api, room_name)))
    made[0].notices.start()
    await bob.until(lambda: bob.agent)
    yield made[0]
    await made[0].channel.aclose()
    await made[0].notices.aclose()


@pytest.mark.parametrize(
    ("body", "topic", "content"),
    [
        ({"type": "poll", "content": {"vote": "yes"}}, "", {"vote": "yes"}),
        ({"topic": "poll", "payload": {"vote": "yes"}}, "", {"vote": "yes"}),
        ({"topic": "poll", "type": "other", "payload": "yes"}, "", "yes"),
        ({"type": "poll", "vote": "yes"}, "", {"vote": "yes"}),
        ({"type": "poll", "content": "yes"}, "whatever", "yes"),
        ({"vote": "yes"}, "poll", {"vote": "yes"}),
        ("[1, 2]", "poll", "[1, 2]"),
        ('"yes"', "poll", "yes"),
        ("yes", "poll", "yes"),
    ],
)
async def test_a_packet_in_any_form(
    inside: Inside, bob: ChatClient, body: dict[str, Any] | str, topic: str, content: object
) -> None:
    inside.channel.on("poll", inside.take)
    inside.channel.on("whatever", inside.take)
    await bob.send_packet(body, topic)
    (packet,) = await inside.until_taken(1)
    assert (packet.type, packet.content) == ("poll", content)
    assert packet.timestamp > 1_700_000_000_000


async def test_the_server_names_the_sender(inside: Inside, bob: ChatClient) -> None:
    inside.channel.on("poll", inside.take)
    spoofed = {"senderId": "alice", "senderName": "Alice", "sender": "alice"}
    await bob.send_packet({"type": "poll", "id": 7, "timestamp": 1_000, "vote": 1, **spoofed})
    (packet,) = await inside.until_taken(1)
    assert packet.sender.identity == "bob"
    assert (packet.id, packet.timestamp) == ("7", 1_000)
    assert "senderId" not in packet.fields
    assert "senderId" not in packet.content


async def test_a_failing_handler_harms_no_other(
    inside: Inside, bob: ChatClient, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(packet: Packet[Any]) -> None:
        raise ZeroDivisionError(packet.content["vote"])

    async def fail_later(packet: Packet[Any]) -> None:
        fail(packet)

    for handler in (fail, fail_later, inside.take, inside.take_later):
        inside.channel.on("poll", handler)
    for number in range(3):
        await bob.send_packet({"type": "poll", "id": f"p{number}", "vote": "a secret"})
    taken = await inside.until_taken(6)
    assert sorted(packet.id for packet in taken) == ["p0", "p0", "p1", "p1", "p2", "p2"]
    await bob.notice("error", code=500)
    assert caplog.text.count("handler of 'poll' packets failed") == 6


async def test_async_handlers_take_packets_of_one_sender_in_their_order(
    inside: Inside, bob: ChatClient
) -> None:
    inside.channel.on("poll", inside.take_later)
    for number in range(50):
        await bob.send_packet({"type": "poll", "id": number})
    assert [packet.id for packet in await inside.until_taken(50)] == [str(n) for n in range(50)]


async def test_a_flood_for_a_slow_handler_is_refused_beyond_a_bound(
    inside: Inside, bob: ChatClient
) -> None:
    go_on = asyncio.Event()

    async def wait(packet: Packet[Any]) -> None:
        await go_on.wait()
        inside.take(packet)

    inside.channel.on("poll", wait)
    for number in range(MAX_WAITING + 11):
        await bob.send_packet({"type": "poll", "id": str(number)})

    def refused() -> list[str]:
        return [each for n in bob.notices("error", code=429) for each in n["messageIds"]]

    await bob.until(lambda: len(refused()) == 10)
    go_on.set()
    taken = {packet.id for packet in await inside.until_taken(MAX_WAITING + 1)}
    assert taken.isdisjoint(refused())


async def test_a_refusal_of_a_handler_reaches_the_sender(inside: Inside, bob: ChatClient) -> None:
    async def refuse(packet: Packet[Any]) -> None:
        raise Refusal(403, f"No votes of {packet.sender.identity}'s.")

    inside.channel.on("poll", refuse)
    await bob.send_packet({"type": "poll", "id": "p1"})
    notice = await bob.notice("error", code=403)
    assert (notice["text"], notice["messageIds"]) == ("No votes of bob's.", ["p1"])


async def test_a_type_nobody_handles_any_more_is_unknown(inside: Inside, bob: ChatClient) -> None:
    inside.channel.on("poll", inside.take)
    inside.channel.on("poll", inside.take_later)
    inside.channel.off("poll", inside.take_later)
    await bob.send_packet({"type": "poll"})
    await inside.until_taken(1)
    inside.channel.off("poll")
    inside.channel.off("poll")
    await bob.send_packet({"type": "poll"})
    inside.channel.on("end", inside.take)
    await bob.send_packet({"type": "end"})
    assert [each.type for each in await inside.until_taken(2)] == ["poll", "end"]
    assert bob.notices("error") == []


async def test_everybody_gets_a_broadcast_and_nobody_else_what_is_for_one(
    eve: ChatClient, inside: Inside, bob: ChatClient
) -> None:
    first = await inside.channel.send_to(["bob"], "poll", {"vote": "between us"})
    await inside.channel.send_to([], "poll", {"vote": "for nobody"})
    last = await inside.channel.broadcast("poll", "for all", reliable=True)
    await eve.until(lambda: eve.packets)
    await bob.until(lambda: len(bob.packets) == 2)
    ((topic, body),) = eve.packets
    assert topic == "poll"
    timestamp = body.pop("timestamp")
    assert timestamp > 1_700_000_000_000
    text = {"content": "for all", "text": "for all"}
    assert body == {"id": last, "type": "poll", "senderId": "agent", "senderName": ""} | text
    assert [body["id"] for _, body in bob.packets] == [first, last]
    assert bob.packets[0][1]["content"] == {"vote": "between us"}


async def test_sizes_are_checked_before_sending(inside: Inside, bob: ChatClient) -> None:
    readers: asyncio.Queue[rtc.TextStreamReader] = asyncio.Queue()
    bob.room.register_text_stream_handler("poll", lambda reader, _: readers.put_nowait(reader))
    channel = inside.channel
    overhead = len(await sent_bytes(inside, bob, "x")) - 2 * len("x")

    largest = "x" * ((MAX_RELIABLE_BYTES - overhead) // 2)
    assert len(await sent_bytes(inside, bob, largest)) in {
        MAX_RELIABLE_BYTES,
        MAX_RELIABLE_BYTES - 1,
    }
    await channel.broadcast("poll", largest + "x")
    async with asyncio.timeout(WITHIN):
        text = await (await readers.get()).read_all()
    assert json.loads(text)["content"] == largest + "x"
    with pytest.raises(PacketTooLargeError, match="may have 15360 bytes"):
        await channel.send_to(["bob"], "poll", largest + "x")
    with pytest.raises(PacketTooLargeError, match="may have 1300 bytes"):
        await channel.broadcast("poll", "x" * MAX_LOSSY_BYTES, reliable=False)
    with pytest.raises(PacketTooLargeError):
        await channel.broadcast("poll", "x" * 1_048_577)


async def sent_bytes(inside: Inside, bob: ChatClient, text: str) -> bytes:
    before = len(bob.packets)
    await inside.channel.broadcast("poll", text)
    await bob.until(lambda: len(bob.packets) > before)
    body = bob.packets[before][1]
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


async def test_calls_to_those_in_the_room(inside: Inside, bob: ChatClient) -> None:
    async def where(invocation: rtc.RpcInvocationData) -> str:
        if invocation.payload == "":
            return "no JSON"
        return json.dumps({"asked": json.loads(invocation.payload)})

    async def refuse(_: rtc.RpcInvocationData) -> str:
        raise rtc.RpcError(403, "I would rather not")

    bob.me.register_rpc_method("where", where)
    bob.me.register_rpc_method("refuse", refuse)
    call = inside.channel.call_rpc
    assert await call("bob", "where", {"precise": True}) == {"asked": {"precise": True}}
    assert await call("bob", "where") == "no JSON"
    with pytest.raises(rtc.RpcError) as caught:
        await call("bob", "refuse", {}, response_timeout=5)
    assert caught.value.code == 403
