"""Data packets, text and byte streams, and RPC between participants."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import rtc

from tests.devserver.room_events import WITHIN, RoomEvents

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Join

LARGE_TEXT = "".join(f"line {number}\n" for number in range(20_000))


class TestPackets:
    @pytest.mark.parametrize("reliable", [True, False])
    async def test_everyone_else_gets_a_packet(self, join: Join, *, reliable: bool) -> None:
        first, second, third = await join("first"), await join("second"), await join("third")
        told = [RoomEvents(room, "data_received") for room in (first, second, third)]
        await first.local_participant.publish_data(b"hello", topic="greeting", reliable=reliable)
        for events in told[1:]:
            (packet,) = await events.next("data_received")
            assert (packet.data, packet.topic) == (b"hello", "greeting")
            assert packet.participant is not None
            assert packet.participant.identity == "first"
            assert packet.kind == (
                rtc.DataPacketKind.KIND_RELIABLE if reliable else rtc.DataPacketKind.KIND_LOSSY
            )
        assert not told[0].seen("data_received")

    async def test_only_the_addressed_get_an_addressed_packet(self, join: Join) -> None:
        first, second, third = await join("first"), await join("second"), await join("third")
        to_second = RoomEvents(second, "data_received")
        to_third = RoomEvents(third, "data_received")
        send = first.local_participant.publish_data
        await send(b"for third", destination_identities=["third", "nobody", "first"])
        await send(b"for all")
        assert (await to_second.next("data_received"))[0].data == b"for all"
        assert (await to_third.next("data_received"))[0].data == b"for third"
        assert (await to_third.next("data_received"))[0].data == b"for all"

    async def test_packets_keep_their_order(self, join: Join) -> None:
        first, second = await join("first"), await join("second")
        told = RoomEvents(second, "data_received")
        sent = [b"%d" % number for number in range(200)]
        for data in sent:
            await first.local_participant.publish_data(data)
        got = [(await told.next("data_received"))[0].data for _ in sent]
        assert got == sent

    async def test_data_without_the_right_to_publish_is_dropped(self, join: Join) -> None:
        muted = await join("muted", can_publish_data=False)
        other, listener = await join("other"), await join("listener")
        told = RoomEvents(listener, "data_received")
        await muted.local_participant.publish_data(b"from muted")
        await other.local_participant.publish_data(b"from other")
        assert (await told.next("data_received"))[0].data == b"from other"

    async def test_hidden_participants_have_no_name(self, join: Join) -> None:
        listener = await join("listener")
        told = RoomEvents(listener, "data_received", "participant_connected")
        hidden = await join("hidden", hidden=True)
        await hidden.local_participant.publish_data(b"boo")
        (packet,) = await told.next("data_received")
        assert (packet.data, packet.participant) == (b"boo", None)
        assert not told.seen("participant_connected")
        assert not listener.remote_participants


class Texts:
    """Reads every text stream of a topic to its end."""

    def __init__(self, room: rtc.Room, topic: str) -> None:
        self._texts: asyncio.Queue[tuple[str, str, rtc.TextStreamInfo]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        room.register_text_stream_handler(topic, self._begin)

    async def next(self) -> tuple[str, str, rtc.TextStreamInfo]:
        async with asyncio.timeout(WITHIN):
            return await self._texts.get()

    def _begin(self, reader: rtc.TextStreamReader, identity: str) -> None:
        task = asyncio.create_task(self._read(reader, identity))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, reader: rtc.TextStreamReader, identity: str) -> None:
        text = await reader.read_all()
        await self._texts.put((text, identity, reader.info))


class TestStreams:
    @pytest.mark.parametrize("text", ["", "short", "ünïcode " * 30, LARGE_TEXT])
    async def test_a_text_arrives_whole(self, join: Join, text: str) -> None:
        first, second, third = await join("first"), await join("second"), await join("third")
        texts = [Texts(room, "news") for room in (second, third)]
        await first.local_participant.send_text(text, topic="news", attributes={"key": "value"})
        for received in texts:
            got, identity, info = await received.next()
            assert (got, identity, info.topic) == (text, "first", "news")
            assert info.attributes == {"key": "value"}

    async def test_a_stream_is_read_while_it_is_written(self, join: Join) -> None:
        first, second = await join("first"), await join("second")
        begun: asyncio.Future[rtc.TextStreamReader] = asyncio.get_running_loop().create_future()

        def begin(reader: rtc.TextStreamReader, identity: str) -> None:
            del identity
            begun.set_result(reader)

        second.register_text_stream_handler("news", begin)
        writer = await first.local_participant.stream_text(topic="news")
        async with asyncio.timeout(WITHIN):
            reader = await begun
            for word in ("one", "two", "three"):
                await writer.write(word)
                assert await anext(reader) == word
            await writer.aclose(attributes={"end": "yes"})
            with pytest.raises(StopAsyncIteration):
                await anext(reader)
        assert reader.info.attributes == {"end": "yes"}

    async def test_an_addressed_text_begins_with_its_addressee_only(self, join: Join) -> None:
        first, second, third = await join("first"), await join("second"), await join("third")
        to_second, to_third = Texts(second, "news"), Texts(third, "news")
        send = first.local_participant.send_text
        await send("for third", topic="news", destination_identities=["third"])
        await send("for all", topic="news")
        assert (await to_second.next())[0] == "for all"
        assert {(await to_third.next())[0], (await to_third.next())[0]} == {
            "for third",
            "for all",
        }

    async def test_bytes_arrive_whole(self, join: Join) -> None:
        first, second = await join("first"), await join("second")
        content = bytes(range(256)) * 400
        received: asyncio.Future[rtc.ByteStreamReader] = asyncio.get_running_loop().create_future()

        def begin(reader: rtc.ByteStreamReader, identity: str) -> None:
            del identity
            received.set_result(reader)

        second.register_byte_stream_handler("files", begin)
        writer = await first.local_participant.stream_bytes(
            "numbers.bin", topic="files", total_size=len(content)
        )
        await writer.write(content)
        await writer.aclose()
        async with asyncio.timeout(WITHIN):
            reader = await received
            assert b"".join([chunk async for chunk in reader]) == content
        assert (reader.info.name, reader.info.size) == ("numbers.bin", len(content))


def _echo(data: rtc.RpcInvocationData) -> str:
    return f"{data.caller_identity}: {data.payload}"


class TestRpc:
    @pytest.fixture
    async def call(self, join: Join) -> Callable[..., asyncio.Future[str]]:
        """Calls a method of `callee` as `caller`."""
        callee, caller = await join("callee"), await join("caller")

        async def echo(data: rtc.RpcInvocationData) -> str:
            return _echo(data)

        async def refuse(data: rtc.RpcInvocationData) -> str:
            del data
            raise rtc.RpcError(4711, "refused", "with data")

        callee.local_participant.register_rpc_method("echo", echo)
        callee.local_participant.register_rpc_method("refuse", refuse)

        def perform(method: str, payload: str = "", to: str = "callee") -> asyncio.Future[str]:
            return asyncio.ensure_future(
                caller.local_participant.perform_rpc(
                    destination_identity=to, method=method, payload=payload
                )
            )

        return perform

    @pytest.mark.parametrize("length", [0, 5, 14_000, 60_000])
    async def test_an_answer(self, call: Callable[..., asyncio.Future[str]], length: int) -> None:
        assert await call("echo", "x" * length) == "caller: " + "x" * length

    async def test_an_error(self, call: Callable[..., asyncio.Future[str]]) -> None:
        with pytest.raises(rtc.RpcError) as failed:
            await call("refuse")
        assert (failed.value.code, failed.value.message) == (4711, "refused")
        assert failed.value.data == "with data"

    async def test_an_unknown_method(self, call: Callable[..., asyncio.Future[str]]) -> None:
        with pytest.raises(rtc.RpcError) as failed:
            await call("nonsense")
        assert failed.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD

    async def test_calls_at_once(self, call: Callable[..., asyncio.Future[str]]) -> None:
        answers = await asyncio.gather(*(call("echo", str(number)) for number in range(50)))
        assert answers == [f"caller: {number}" for number in range(50)]
