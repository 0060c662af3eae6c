"""Native requests send the same as the SDK's methods, and fail in the same way."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest
from livekit import rtc
from livekit.rtc._ffi_client import FfiClient, FfiHandle, FfiQueue
from livekit.rtc._proto.ffi_pb2 import FfiEvent, FfiRequest
from livekit.rtc.data_stream import StreamError
from livekit.rtc.participant import PublishDataError

from agent.sdk.native_calls import CALLS
from agent.sdk.native_events import EventRouter, install
from agent.sdk.native_sending import AddressedText, OutgoingText, begin_packet
from tests.conftest import Join
from tests.devserver.room_events import RoomEvents

SENT = (
    "text_stream_open",
    "text_stream_write",
    "text_stream_close",
    "send_text",
    "send_stream_header",
    "send_stream_chunk",
    "send_stream_trailer",
    "publish_data",
)


@pytest.fixture(params=[True, False], ids=["routed", "as the SDK has it"])
def events(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With events routed, and as they are where the SDK is an unknown one."""
    install()
    if not request.param:
        monkeypatch.setattr(FfiClient.instance, "_queue", FfiQueue[FfiEvent]())


@pytest.fixture
async def heard(join: Join) -> asyncio.Queue[rtc.TextStreamReader]:
    """The streams that bob hears on topic `t`."""
    heard = asyncio.Queue[rtc.TextStreamReader]()

    def listen(room: rtc.Room) -> None:
        room.register_text_stream_handler("t", lambda reader, _: heard.put_nowait(reader))

    await join("bob", prepare=listen)
    return heard


class Dropped:
    """Handles that were given back to the native library, by whatever thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.handles: list[int] = []
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        dispose: Callable[[FfiHandle], None] = FfiHandle.dispose

        def note(handle: FfiHandle) -> None:
            if not handle.disposed:
                self.handles.append(handle.handle)
                self._loop.call_soon_threadsafe(self._changed.set)
            dispose(handle)

        monkeypatch.setattr(FfiHandle, "dispose", note)

    async def until(self, handle: int) -> None:
        while handle not in self.handles:
            self._changed.clear()
            await self._changed.wait()


def test_the_sdk_has_the_requests() -> None:
    for kind in SENT:
        assert "request_async_id" in getattr(FfiRequest(), kind).DESCRIPTOR.fields_by_name


@pytest.mark.usefixtures("events")
async def test_text_arrives_in_order_with_its_attributes(
    join: Join, heard: asyncio.Queue[rtc.TextStreamReader]
) -> None:
    room = await join("ana")
    async with asyncio.timeout(20):
        stream = OutgoingText(room, "t", {"a": "1", "b": "2"})
        await stream.opened()
        assert stream.is_open
        for number in range(50):
            await stream.begin_write(f"{number} ").settled()
        await stream.begin_write("x" * 40_000).settled()
        await stream.begin_close({"b": "3"}).settled()
        reader = await heard.get()
        text = await reader.read_all()
    assert text == "".join(f"{number} " for number in range(50)) + "x" * 40_000
    assert reader.info.topic == "t"
    assert reader.info.mime_type == "text/plain"
    assert reader.info.attributes == {"a": "1", "b": "3"}


async def test_with_listeners_only_they_hear_it(
    join: Join, heard: asyncio.Queue[rtc.TextStreamReader]
) -> None:
    room = await join("ana")
    async with asyncio.timeout(20):
        for listeners in (["eve"], ["bob"]):
            stream = OutgoingText(room, "t", {"for": listeners[0]}, listeners)
            await stream.opened()
            await stream.begin_close({}).settled()
        reader = await heard.get()
    assert reader.info.attributes == {"for": "bob"}
    assert heard.empty()


@pytest.mark.usefixtures("events")
async def test_nobody_else_gets_a_packet_of_an_addressed_text(
    join: Join, heard: asyncio.Queue[rtc.TextStreamReader]
) -> None:
    room = await join("ana")
    eves = asyncio.Queue[rtc.TextStreamReader]()

    def listen(eve: rtc.Room) -> None:
        eve.register_text_stream_handler("t", lambda reader, _: eves.put_nowait(reader))

    await join("eve", prepare=listen)
    parts = ["x" * 14_000, "naïve " * 9_000, "end"]
    async with asyncio.timeout(20):
        # One with the same id is open at eve: she would read what was meant for bob.
        theirs = OutgoingText(room, "t", {}, ["eve"], stream_id="one")
        await theirs.opened()
        stream = AddressedText(room, "t", {"a": "1"}, ["bob"], stream_id="one")
        for part in parts:
            await stream.write(part)
        await stream.close({"b": "2"})
        await theirs.begin_write("for eve").settled()
        await theirs.begin_close({}).settled()
        reader = await heard.get()
        assert await reader.read_all() == "".join(parts)
        assert await (await eves.get()).read_all() == "for eve"
    assert (reader.info.stream_id, reader.info.attributes) == ("one", {"a": "1", "b": "2"})
    assert heard.empty()


async def test_its_ends_are_no_events_for_others(join: Join) -> None:
    install()
    router = FfiClient.instance.queue
    assert isinstance(router, EventRouter)
    room = await join("ana")
    others = router.subscribe()
    async with asyncio.timeout(20):
        stream = OutgoingText(room, "t", {})
        await stream.opened()
        await stream.begin_write("hello").settled()
        await stream.begin_close({}).settled()
        await begin_packet(room, b"hello", topic="t", to=[], reliable=True).settled()
    router.unsubscribe(others)
    assert others.empty()


async def test_text_that_cannot_be_sent_is_an_error_for_its_sender(join: Join) -> None:
    room = await join("ana")
    stream = OutgoingText(room, "t", {})
    async with asyncio.timeout(20):
        await stream.opened()
        await room.disconnect()
        with pytest.raises((StreamError, AssertionError)):
            await stream.begin_write("too late").settled()


async def test_a_stream_that_is_not_closed_is_given_back(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = Dropped(monkeypatch)
    room = await join("ana")
    async with asyncio.timeout(20):
        closed, unused, opening = (OutgoingText(room, "t", {}) for _ in range(3))
        await closed.opened()
        taken = closed._writer()  # pyright: ignore[reportPrivateUsage]
        await closed.begin_close({}).settled()
        await unused.opened()
        given_back = unused._writer()  # pyright: ignore[reportPrivateUsage]
        late = opening._opening  # pyright: ignore[reportPrivateUsage]
        del closed, unused, opening
        too_late = (await late.settled()).writer.handle.id
        await dropped.until(too_late)
    gc.collect()
    monkeypatch.undo()
    assert taken not in dropped.handles
    assert dropped.handles.count(given_back) == dropped.handles.count(too_late) == 1


@pytest.mark.usefixtures("events")
async def test_a_packet_arrives(join: Join) -> None:
    packets = asyncio.Queue[rtc.DataPacket]()
    bob, eve = await join("bob"), await join("eve")
    bob.on("data_received", packets.put_nowait)
    eve.on("data_received", packets.put_nowait)
    events = [RoomEvents(each, "participant_connected") for each in (bob, eve)]
    room = await join("ana")
    for heard in events:
        # livekit-server announces her up to three seconds late.
        await heard.next("participant_connected", lambda event: event[0].identity == "ana")
    async with asyncio.timeout(20):
        await begin_packet(room, b"x" * 15_000, topic="t", to=["bob"], reliable=True).settled()
        first = await packets.get()
        await begin_packet(room, b"", topic="", to=[], reliable=True).settled()
        others = [await packets.get() for _ in range(2)]
    assert (first.data, first.topic) == (b"x" * 15_000, "t")
    assert first.participant is not None
    assert first.participant.identity == "ana"
    assert [(each.data, each.topic) for each in others] == [(b"", "")] * 2


async def test_a_packet_that_cannot_be_sent_is_an_error_for_its_sender(join: Join) -> None:
    room = await join("ana")
    async with asyncio.timeout(20):
        await room.disconnect()
        with pytest.raises((PublishDataError, AssertionError)):
            await begin_packet(room, b"too late", topic="t", to=[], reliable=True).settled()


async def test_a_call_that_is_refused_at_once_is_not_waited_for(join: Join) -> None:
    room = await join("ana")
    stream = OutgoingText(room, "t", {})
    async with asyncio.timeout(20):
        await stream.opened()
        await stream.begin_close({}).settled()
    under_way = dict(CALLS._under_way)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(AssertionError):
        stream.begin_write("after the end")
    assert CALLS._under_way == under_way  # pyright: ignore[reportPrivateUsage]
