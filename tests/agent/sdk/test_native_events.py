"""Native events go to those they are for; and the SDK is the one that the router was made for."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading

import pytest
from livekit import rtc
from livekit.rtc._ffi_client import FfiClient, FfiQueue
from livekit.rtc._proto.data_stream_pb2 import TextStreamWriterWriteCallback
from livekit.rtc._proto.ffi_pb2 import FfiEvent
from livekit.rtc._proto.room_pb2 import PublishDataCallback
from livekit.rtc.data_stream import StreamError
from livekit.rtc.participant import PublishDataError

from agent.sdk.native_calls import Call, Calls
from agent.sdk.native_events import (
    KEPT_THREADS,
    STREAM_PACKETS,
    EventRouter,
    claim,
    install,
)
from agent.sdk.native_sending import begin_packet
from tests.agent.conftest import Enter, StartWorker
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


def written(async_id: int) -> FfiEvent:
    event = FfiEvent()
    event.text_stream_writer_write.async_id = async_id
    return event


def end_of_write(error: str = "") -> TextStreamWriterWriteCallback:
    end = TextStreamWriterWriteCallback(async_id=7)
    if error:
        end.error.description = error
    return end


def test_the_sdk_is_the_one_that_the_router_was_made_for() -> None:
    public = {name for name in dir(FfiQueue[FfiEvent]()) if not name.startswith("_")}
    assert public == {"put", "subscribe", "unsubscribe"}
    assert public <= set(dir(EventRouter))
    kinds = {field.name for field in FfiEvent.DESCRIPTOR.oneofs_by_name["message"].fields}
    assert {"room_event", "rpc_method_invocation", "text_stream_reader_event"} <= kinds
    assert {"byte_stream_reader_event", "publish_track", "unpublish_track"} <= kinds
    assert kinds >= Calls.ENDS
    for kind in Calls.ENDS:
        assert {"async_id", "error"} <= set(getattr(FfiEvent(), kind).DESCRIPTOR.fields_by_name)


async def test_calls_hear_of_ends_of_calls_only() -> None:
    router = EventRouter()
    call = router.subscribe()
    router.put(room_event(7))
    router.put(completion(3))
    assert await call.get() == completion(3)
    assert call.empty()


async def test_a_filter_limits_the_events_of_its_listener() -> None:
    router = EventRouter()
    reader = router.subscribe(filter_fn=lambda event: event.room_event.room_handle == 7)
    for handle in (6, 7, 8):
        router.put(room_event(handle))
    assert await reader.get() == room_event(7)
    assert reader.empty()


async def test_a_departed_listener_gets_nothing() -> None:
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


async def test_the_rooms_of_a_worker_are_claimed(enter: Enter, start_worker: StartWorker) -> None:
    ana = await enter("ana", worker=await start_worker(SDK_PATCHES="on"))
    router = FfiClient.instance.queue
    assert isinstance(router, EventRouter)
    with pytest.raises(rtc.RpcError) as refused:
        await ana.me.perform_rpc(destination_identity="agent", method="nothing", payload="")
    assert refused.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
    assert (await ana.ask("Hello?")).finish_reason == "stop"


async def test_the_end_of_a_call_wakes_its_waiter() -> None:
    early, late = Call(), Call()
    await asyncio.to_thread(early.settle, end_of_write())
    assert early.succeeded
    assert await early.settled() == end_of_write()

    waiting = asyncio.create_task(late.settled())
    await asyncio.sleep(0)
    assert not waiting.done()
    await asyncio.to_thread(late.settle, end_of_write("the room is closed"))
    assert not late.succeeded
    with pytest.raises(StreamError, match="the room is closed"):
        await waiting


async def test_a_call_fails_as_its_kind_does() -> None:
    call = Call(PublishDataError)
    call.settle(PublishDataCallback(async_id=1, error="the room is closed"))
    with pytest.raises(PublishDataError, match="the room is closed"):
        await call.settled()


async def test_the_end_of_an_abandoned_call_disturbs_nobody() -> None:
    call = Call()
    waiting = asyncio.create_task(call.settled())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.to_thread(call.settle, end_of_write())
    await call.settled()


async def test_no_end_of_a_call_is_missed() -> None:
    """In either order, and at any distance."""
    calls = [Call() for _ in range(5_000)]

    def settle() -> None:
        for call in calls:
            call.settle(end_of_write())

    thread = threading.Thread(target=settle)
    thread.start()
    async with asyncio.timeout(20):
        for call in calls:
            await call.settled()
    thread.join()


async def test_the_end_of_somebody_elses_call_goes_to_the_sdks() -> None:
    router = EventRouter()
    call = router.subscribe()
    router.put(written(7))
    assert await call.get() == written(7)


async def test_rooms_hear_nothing_of_what_the_sdk_does_not_use() -> None:
    router = EventRouter()
    room = router.subscribe(filter_fn=lambda event: event.WhichOneof("message") == "room_event")
    for kind in STREAM_PACKETS:
        event = FfiEvent()
        getattr(event.room_event, kind).SetInParent()
        router.put(event)
    router.put(room_event(7))
    assert await room.get() == room_event(7)
    assert room.empty()
    assert not any(kind in inspect.getsource(rtc.room) for kind in STREAM_PACKETS)


async def test_native_threads_keep_their_python_half(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data of one event is still there when the next event is reported."""
    install()
    room = await join("ana")
    known, told = threading.local(), list[bool]()

    class Noted(Call):
        def settle(self, end: object) -> None:
            told.append(hasattr(known, "thread"))
            known.thread = True
            super().settle(end)

    monkeypatch.setattr("agent.sdk.native_sending.Call", Noted)
    async with asyncio.timeout(20):
        for _ in range(100):
            await begin_packet(room, b"hello", topic="t", to=[], reliable=True).settled()
    assert len(told) == 100
    assert told.count(False) <= KEPT_THREADS


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
