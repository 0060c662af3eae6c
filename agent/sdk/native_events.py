"""EventRouter: delivers each event of the native SDK only to those it is for.

The SDK (livekit/rtc/_ffi_client.py, FfiQueue) offers every event of the process to every waiter: to
each room and each call in progress, waking each of them by a write to its loop's pipe. That suits a
process with one room; with N busy rooms the cost of each grows with N. Here an event wakes the loop
once for all that came meanwhile, a room gets its own events only, and calls under way get no events
of rooms and streams. The completion of a call that was begun here wakes only the task that waits
for it.

All code that relies on the SDK's private parts for this is in this file.
tests/agent/sdk/test_native_events.py checks them; an SDK with other parts is left as it is.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from livekit.rtc._ffi_client import FfiClient, FfiQueue
from livekit.rtc._proto.ffi_pb2 import FfiEvent
from livekit.rtc._proto.room_pb2 import RoomEvent
from livekit.rtc._utils import Queue

from agent.sdk.native_calls import CALLS
from agent.sdk.patches import PROCESS, has_attributes, has_fields

if TYPE_CHECKING:
    from livekit import rtc

Filter: TypeAlias = Callable[[FfiEvent], bool]
HearPacket: TypeAlias = Callable[[RoomEvent], None]
"""Takes the events of STREAM_PACKETS of one room, in their order."""

OF_ROOMS_AND_STREAMS: Final = frozenset(
    {
        "room_event",
        "rpc_method_invocation",
        "text_stream_reader_event",
        "byte_stream_reader_event",
        "audio_stream_event",
        "video_stream_event",
    }
)
"""Kinds of events that no call under way waits for: the ends of calls are other events."""

PASSED_ON_BY_ROOMS: Final = frozenset({"publish_track", "unpublish_track"})
"""Ends of calls that a participant waits for through its room (livekit/rtc/participant.py)."""

FOR_ROOMS: Final = PASSED_ON_BY_ROOMS | frozenset(
    field.name
    for field in FfiEvent.DESCRIPTOR.fields
    if field.name not in OF_ROOMS_AND_STREAMS
    and not (field.message_type and "async_id" in field.message_type.fields_by_name)
)
"""Kinds that every room gets, as in the SDK: also unknown ones, unless they are ends of calls."""

STREAM_PACKETS: Final = frozenset(
    {"stream_header_received", "stream_chunk_received", "stream_trailer_received"}
)
"""Kinds of rooms' events that the SDK ignores: it has others for streams. Only they say who sent a
packet of a stream, so a claimed room may receive them."""

KEPT_THREADS: Final = 16
"""Native threads, at most, that keep their Python state. The threads that report events are few,
and live as long as the process; if one ends nevertheless, 16 kB of it are leaked."""


class EventRouter:
    """Takes the place of the SDK's FfiQueue, whose interface it has.

    A room that is garbage unsubscribes (Room.__del__), and garbage is collected wherever something
    is allocated: in any thread, in the middle of any method here. So giving out events takes no
    lock, the lock lets its holder in again, and what is iterated over is a copy that was made
    without allocating anything on the way, as list() of a dict or of its values is.
    """

    settles_calls: Final = True
    """Calls need not subscribe to their completions."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._loops: dict[asyncio.AbstractEventLoop, _Subscriptions] = {}
        self._threads: set[int] = set()
        """Native threads that keep their Python state."""

    def put(self, item: FfiEvent) -> None:
        """Called by the native library's threads."""
        if (thread := threading.get_ident()) not in self._threads:
            self._keep_python_half(thread)
        kind = item.WhichOneof("message")
        if CALLS.settle(item, kind):
            return
        is_packet = kind == "room_event" and item.room_event.WhichOneof("message") in STREAM_PACKETS
        for each in list(self._loops.values()):
            if not is_packet or each.hears_packets(item.room_event.room_handle):
                each.put(item)

    def _keep_python_half(self, thread: int) -> None:
        """Keeps this thread's Python state until the process ends.

        The interpreter makes it again for each event, with 16 kB that the system maps, clears and
        takes back, for which it interrupts the other processors. A thread that acquires it once
        more than it releases it keeps it (docs.python.org/3/c-api/init.html, PyGILState_Ensure).
        """
        if len(self._threads) < KEPT_THREADS:
            self._threads.add(thread)
            ctypes.pythonapi.PyGILState_Ensure()

    def subscribe(
        self, loop: asyncio.AbstractEventLoop | None = None, filter_fn: Filter | None = None
    ) -> Queue[FfiEvent]:
        """A queue of the events from now on that pass the filter."""
        queue = Queue[FfiEvent]()
        self.take_over(queue, loop or asyncio.get_event_loop(), filter_fn)
        return queue

    def unsubscribe(self, queue: Queue[FfiEvent]) -> None:
        with self._lock:
            for subscriptions in list(self._loops.values()):
                if subscriptions.remove(queue):
                    if subscriptions.are_none():
                        self._loops.pop(subscriptions.loop, None)
                    return

    def take_over(
        self,
        queue: Queue[FfiEvent],
        loop: asyncio.AbstractEventLoop,
        filter_fn: Filter | None,
    ) -> None:
        """Keeps a queue that somebody has already."""
        with self._lock:
            subscriptions = self._loops.get(loop) or _Subscriptions(loop)
            subscriptions.add(queue, filter_fn)
            # In any case: others may have been the last ones, and gone, meanwhile.
            self._loops[loop] = subscriptions

    def claim(self, room: rtc.Room, hear_packet: HearPacket | None = None) -> None:
        """Gives a connected room its own events only, until it disconnects. Call it on the room's
        loop; `hear_packet` is called there for each packet of a stream."""
        queue: Queue[FfiEvent] = room._ffi_queue  # pyright: ignore[reportPrivateUsage]
        handle = room._ffi_handle  # pyright: ignore[reportPrivateUsage]
        participant = room.local_participant._ffi_handle  # pyright: ignore[reportPrivateUsage]
        with self._lock:
            for subscriptions in list(self._loops.values()):
                if handle is not None and subscriptions.has(queue):
                    subscriptions.claim(queue, handle.handle, participant.handle)
                    if hear_packet is not None:
                        subscriptions.hear_packets(handle.handle, hear_packet)


class _Subscriptions:
    """The waiters for events on one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._events: deque[FfiEvent] = deque()
        self._woken = False
        self._calls: dict[int, Queue[FfiEvent]] = {}
        """Without a filter: calls under way, each waiting for an event with its id."""
        self._listeners: dict[int, tuple[Queue[FfiEvent], Filter]] = {}
        """Streams' readers, and rooms that are not claimed."""
        self._rooms: dict[int, Queue[FfiEvent]] = {}
        """Claimed, by the handle of the room and by that of its local participant."""
        self._hearing: dict[int, HearPacket] = {}
        """By the handle of the room."""

    def are_none(self) -> bool:
        return not (self._calls or self._listeners or self._rooms)

    def has(self, queue: Queue[FfiEvent]) -> bool:
        return id(queue) in self._listeners

    def add(self, queue: Queue[FfiEvent], filter_fn: Filter | None) -> None:
        if filter_fn is None:
            self._calls[id(queue)] = queue
        else:
            self._listeners[id(queue)] = queue, filter_fn

    def claim(self, queue: Queue[FfiEvent], *handles: int) -> None:
        self._rooms |= dict.fromkeys(handles, queue)
        del self._listeners[id(queue)]

    def hear_packets(self, room: int, hear: HearPacket) -> None:
        self._hearing[room] = hear

    def hears_packets(self, room: int) -> bool:
        return room in self._hearing

    def remove(self, queue: Queue[FfiEvent]) -> bool:
        """Whether it was one of them."""
        if self._calls.pop(id(queue), None) or self._listeners.pop(id(queue), None):
            return True
        claimed = False
        for handle in list(self._rooms):
            if self._rooms.get(handle) is queue:
                self._rooms.pop(handle, None)
                self._hearing.pop(handle, None)
                claimed = True
        return claimed

    def put(self, event: FfiEvent) -> None:
        self._events.append(event)
        if self._woken:
            return
        self._woken = True
        try:
            self.loop.call_soon_threadsafe(self._deliver_all)
        except RuntimeError:
            # The loop was closed by somebody who still waits on it: nobody can be notified.
            self._events.clear()

    def _deliver_all(self) -> None:
        # First, so that events from now on wake the loop again.
        self._woken = False
        for _ in range(len(self._events)):
            self._deliver(self._events.popleft())

    def _deliver(self, event: FfiEvent) -> None:
        kind = event.WhichOneof("message")
        if kind == "room_event":
            if event.room_event.WhichOneof("message") in STREAM_PACKETS:
                if (hear := self._hearing.get(event.room_event.room_handle)) is not None:
                    hear(event.room_event)
                return
            room = self._rooms.get(event.room_event.room_handle)
        elif kind == "rpc_method_invocation":
            room = self._rooms.get(event.rpc_method_invocation.local_participant_handle)
        else:
            room = None
        if room is not None:
            room.put_nowait(event)
            return
        if kind not in OF_ROOMS_AND_STREAMS:
            for queue in list(self._calls.values()):
                queue.put_nowait(event)
        if kind in FOR_ROOMS:
            for queue in {id(room): room for room in list(self._rooms.values())}.values():
                queue.put_nowait(event)
        for queue, passes in list(self._listeners.values()):
            if passes(event):
                queue.put_nowait(event)


def install() -> None:
    """Makes the SDK use an EventRouter from now on, and starts its native library.

    With SDK_PATCHES=off, and where the router does not fit, the SDK's own queue stays.
    """
    client = FfiClient.instance
    queue: FfiQueue[FfiEvent] | EventRouter = client.queue
    if isinstance(queue, EventRouter):
        return
    methods = {name for name in dir(queue) if not name.startswith("_")}
    if not PROCESS.applies(
        "events",
        fits=type(queue) is FfiQueue
        and methods == {"put", "subscribe", "unsubscribe"}
        and has_attributes(queue, "_lock", "_subscribers")
        and has_fields(FfiEvent(), *OF_ROOMS_AND_STREAMS, *PASSED_ON_BY_ROOMS, *CALLS.ENDS),
        instead="every room looks at every event",
    ):
        return
    router = EventRouter()
    with queue._lock:  # pyright: ignore[reportPrivateUsage]
        for subscriber in queue._subscribers:  # pyright: ignore[reportPrivateUsage]
            router.take_over(*subscriber)
        client._queue = router  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]


def when_deaf(room: rtc.Room, call: Callable[[], None]) -> None:
    """Calls this once a connected room hears no more events: it was left, or the SDK's task that
    reads them has failed (livekit/rtc/room.py, `_listen_task`)."""
    task: object = getattr(room, "_task", None)
    if PROCESS.found(
        "the end of a room's task",
        fits=isinstance(task, asyncio.Task),
        instead="a room whose task fails is not left",
    ):
        room._task.add_done_callback(lambda _: call())  # pyright: ignore[reportPrivateUsage]
    else:
        room.on("disconnected", lambda _: call())  # pyright: ignore[reportUnknownLambdaType]


def claim(room: rtc.Room, hear_packet: HearPacket | None = None) -> None:
    """Gives a connected room its own events only, where events are routed, and its packets to
    `hear_packet`; see EventRouter.claim."""
    queue: FfiQueue[FfiEvent] | EventRouter = FfiClient.instance.queue
    if not PROCESS.found(
        "the events of a room",
        fits=has_attributes(room, "_ffi_queue", "_ffi_handle")
        and has_attributes(room.local_participant, "_ffi_handle")
        and has_fields(RoomEvent(), "room_handle", *STREAM_PACKETS),
        instead="nobody checks who sent the packets of a stream",
    ):
        return
    if isinstance(queue, EventRouter):
        queue.claim(room, hear_packet)
    elif hear_packet is not None:
        _hear_packets(queue, room, hear_packet)


def _hear_packets(queue: FfiQueue[FfiEvent], room: rtc.Room, hear_packet: HearPacket) -> None:
    """Receives the packets of streams if events are not routed, as a filter that passes nothing."""
    loop = asyncio.get_running_loop()
    handle: int = room._ffi_handle.handle  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]

    def hear(event: FfiEvent) -> bool:
        if (
            event.WhichOneof("message") == "room_event"
            and event.room_event.room_handle == handle
            and event.room_event.WhichOneof("message") in STREAM_PACKETS
        ):
            loop.call_soon_threadsafe(hear_packet, event.room_event)
        return False

    subscription = queue.subscribe(loop, hear)
    when_deaf(room, lambda: queue.unsubscribe(subscription))
