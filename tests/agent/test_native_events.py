"""Native events go to those they are for; and the SDK is the one that the router was made for."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from livekit import rtc
from livekit.rtc._ffi_client import FfiClient, FfiQueue
from livekit.rtc._proto.data_stream_pb2 import TextStreamWriterWriteRequest
from livekit.rtc._proto.ffi_pb2 import FfiEvent
from livekit.rtc.data_stream import StreamError

from agent.native_events import EventRouter, Write, begin_write, claim, install
from tests.agent.conftest import Enter
from tests.conftest import Join


def room_event(handle: int) -> FfiEvent:
    event = FfiEvent()
    event.room_event.room_handle = handle
    event.room_event.disconnected.SetInParent()
    return event


def completion(async_id: int) -> FfiEvent:
    event = FfiEvent()
    event.publish_data.async_id = async_id
    return event


def written(async_id: int, error: str = "") -> FfiEvent:
    event = FfiEvent()
    event.text_stream_writer_write.async_id = async_id
    if error:
        event.text_stream_writer_write.error.description = error
    return event


def test_the_sdk_is_the_one_that_the_router_was_made_for() -> None:
    public = {name for name in dir(FfiQueue[FfiEvent]()) if not name.startswith("_")}
    assert public == {"put", "subscribe", "unsubscribe"}
    assert public <= set(dir(EventRouter))
    kinds = {field.name for field in FfiEvent.DESCRIPTOR.oneofs_by_name["message"].fields}
    assert {"room_event", "rpc_method_invocation", "text_stream_reader_event"} <= kinds
    assert {"byte_stream_reader_event", "publish_track", "unpublish_track"} <= kinds
    assert "text_stream_writer_write" in kinds
    assert "request_async_id" in TextStreamWriterWriteRequest.DESCRIPTOR.fields_by_name


async def test_calls_hear_of_ends_of_calls_only() -> None:
    router = EventRouter()
    call = router.subscribe()
    router.put(room_event(7))
    router.put(completion(3))
    assert await call.get() == completion(3)
    assert call.empty()


async def test_who_has_a_filter_hears_what_passes_it() -> None:
    router = EventRouter()
    reader = router.subscribe(filter_fn=lambda event: event.room_event.room_handle == 7)
    for handle in (6, 7, 8):
        router.put(room_event(handle))
    assert await reader.get() == room_event(7)
    assert reader.empty()


async def test_who_has_left_hears_nothing() -> None:
    router = EventRouter()
    gone, here = router.subscribe(), router.subscribe()
    router.put(completion(1))
    router.unsubscribe(gone)
    assert await here.get() == completion(1)
    assert gone.empty()


def test_events_for_a_loop_that_was_closed_disturb_nobody() -> None:
    router = EventRouter()
    closed = asyncio.new_event_loop()
    lost = router.subscribe(closed)
    closed.close()

    async def hear() -> FfiEvent:
        here = router.subscribe()
        router.put(completion(1))
        return await here.get()

    assert asyncio.run(hear()) == completion(1)
    assert lost.empty()


async def test_events_come_in_order_from_another_thread() -> None:
    router = EventRouter()
    call = router.subscribe()

    def put_all() -> None:
        for number in range(1_000):
            router.put(completion(number))

    await asyncio.to_thread(put_all)
    assert [(await call.get()).publish_data.async_id for _ in range(1_000)] == list(range(1_000))


async def test_a_claimed_room_works_and_hears_of_itself_alone(join: Join) -> None:
    """Packets, attributes, calls and tracks of a claimed room; and nothing of another one."""
    install()
    router = FfiClient.instance.queue
    assert isinstance(router, EventRouter)
    room, other = await join("ana"), await join("bob", room="elsewhere")
    claim(room)
    heard: list[FfiEvent] = []
    queue = room._ffi_queue  # pyright: ignore[reportPrivateUsage]
    put = queue.put_nowait

    def put_and_tell(item: FfiEvent) -> None:
        heard.append(item)
        put(item)

    queue.put_nowait = put_and_tell

    await other.local_participant.set_attributes({"a": "b"})
    await other.local_participant.publish_data(b"for nobody")
    assert heard == []

    source = rtc.AudioSource(48_000, 1)
    track = rtc.LocalAudioTrack.create_audio_track("voice", source)
    async with asyncio.timeout(20):
        publication = await room.local_participant.publish_track(track)
        await room.local_participant.unpublish_track(publication.sid)
    await source.aclose()
    assert heard

    async with asyncio.timeout(20):
        await room.disconnect()
    assert not room.isconnected()


async def test_the_rooms_of_a_worker_are_claimed(enter: Enter) -> None:
    ana = await enter("ana")
    router = FfiClient.instance.queue
    assert isinstance(router, EventRouter)
    with pytest.raises(rtc.RpcError) as refused:
        await ana.me.perform_rpc(destination_identity="agent", method="nothing", payload="")
    assert refused.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
    assert (await ana.ask("Hello?")).finish_reason == "stop"


async def test_the_end_of_a_write_wakes_who_waits_for_it_alone() -> None:
    early, late = Write(), Write()
    await asyncio.to_thread(early.settle, "")
    await early.settled()

    waiting = asyncio.create_task(late.settled())
    await asyncio.sleep(0)
    assert not waiting.done()
    await asyncio.to_thread(late.settle, "the room is closed")
    with pytest.raises(StreamError, match="the room is closed"):
        await waiting


async def test_who_gives_up_a_write_is_not_disturbed_by_its_end() -> None:
    write = Write()
    waiting = asyncio.create_task(write.settled())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.to_thread(write.settle, "")
    await write.settled()


async def test_no_end_of_a_write_is_missed() -> None:
    """Whichever of the two comes first, and however close."""
    writes = [Write() for _ in range(5_000)]

    def settle() -> None:
        for write in writes:
            write.settle("")

    thread = threading.Thread(target=settle)
    thread.start()
    async with asyncio.timeout(20):
        for write in writes:
            await write.settled()
    thread.join()


async def test_the_end_of_somebody_elses_write_goes_to_calls() -> None:
    router = EventRouter()
    call = router.subscribe()
    router.put(written(7))
    assert await call.get() == written(7)


async def test_text_is_sent_in_order_and_its_end_is_no_event_for_others(join: Join) -> None:
    install()
    router = FfiClient.instance.queue
    assert isinstance(router, EventRouter)
    heard = asyncio.Queue[rtc.TextStreamReader]()
    await join(
        "bob",
        prepare=lambda room: room.register_text_stream_handler(
            "t", lambda reader, _: heard.put_nowait(reader)
        ),
    )
    room = await join("ana")
    writer = await room.local_participant.stream_text(topic="t")
    others = router.subscribe()

    async with asyncio.timeout(20):
        for number in range(50):
            write = await begin_write(writer, f"{number} ")
            assert write is not None
            await write.settled()
        last = await begin_write(writer, "x" * 40_000)
        assert last is not None
        await last.settled()
        assert others.empty()
        router.unsubscribe(others)
        await writer.aclose()
        text = await (await heard.get()).read_all()

    assert text == "".join(f"{number} " for number in range(50)) + "x" * 40_000


async def test_text_that_can_not_be_sent_is_an_error_for_who_sends_it(join: Join) -> None:
    install()
    room = await join("ana")
    writer = await room.local_participant.stream_text(topic="t")
    await room.disconnect()

    async def send(text: str) -> None:
        write = await begin_write(writer, text)
        if write is not None:
            await write.settled()

    async with asyncio.timeout(20):
        with pytest.raises((StreamError, AssertionError)):
            await send("too late")


async def test_without_a_router_the_sdk_writes(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    room = await join("ana")
    writer = await room.local_participant.stream_text(topic="t")
    sent: list[str] = []

    async def write(text: str) -> None:
        sent.append(text)

    monkeypatch.setattr(writer, "write", write)
    monkeypatch.setattr("agent.native_events.EventRouter", Garbage)
    assert await begin_write(writer, "hello") is None
    assert sent == ["hello"]
    await writer.aclose()


class Garbage:
    """Unsubscribes when it is collected, as the SDK's rooms do."""

    def __init__(self, router: EventRouter, loop: asyncio.AbstractEventLoop) -> None:
        self._router = router
        self._queue = router.subscribe(loop)
        self._cycle = self  # so that it waits for the collector

    def __del__(self) -> None:
        self._router.unsubscribe(self._queue)


def test_garbage_may_unsubscribe_in_the_middle_of_anything() -> None:
    router = EventRouter()
    loop = asyncio.new_event_loop()
    kept = router.subscribe(loop, lambda _: True)

    def churn() -> None:
        event = completion(1)
        for _ in range(2_000):
            Garbage(router, loop)
            router.put(event)

    thresholds = gc.get_threshold()
    gc.set_threshold(1, 1, 1)  # at nearly every allocation
    threads = [threading.Thread(target=churn, daemon=True) for _ in range(2)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert not any(thread.is_alive() for thread in threads), "they wait for each other"
    finally:
        gc.set_threshold(*thresholds)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert kept.qsize() == 4_000
