"""EventRouter: the native SDK's events, each given to those it is for.

The SDK (livekit/rtc/_ffi_client.py, FfiQueue) offers every event of the process to everybody who
waits for one: to each room and each call under way, waking each of them by a write to its loop's
pipe. That is for a process with one room; with N busy ones the cost of each grows with N. Here an
event wakes the loop once for all that came meanwhile, a room gets its own events only, and calls
under way get no events of rooms and streams. That a piece of text has been sent wakes nobody but
who waits for that.

All that leans on the SDK's private parts for this stands in this file. tests/agent/
test_native_events.py holds the SDK to it; where the SDK is another one, it is left as it is.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from livekit.rtc._ffi_client import FfiClient, FfiQueue
from livekit.rtc._proto.ffi_pb2 import FfiEvent, FfiRequest
from livekit.rtc._utils import Queue
from livekit.rtc.data_stream import StreamError, TextStreamWriter

if TYPE_CHECKING:
    from livekit import rtc

logger = logging.getLogger(__name__)

Filter: TypeAlias = Callable[[FfiEvent], bool]

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
"""Kinds of events that no call under way waits for: calls are told by events of their own."""

PASSED_ON_BY_ROOMS: Final = frozenset({"publish_track", "unpublish_track"})
"""Ends of calls that a participant waits for through its room (livekit/rtc/participant.py)."""

OWN_NUMBERS: Final = 1 << 62
"""Where the numbers of writes begin: the native library counts its own calls from 1."""


class Write:
    """A piece of text on its way to the server.

    It is settled by a native thread, and awaited on the loop that began it, by one at most. Each
    says first what it does and looks then at what the other has done, so that one of them sees it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._settled = False
        self._error = ""

    async def settled(self) -> None:
        """Returns when it has been sent. Raises StreamError if it could not be."""
        if not self._settled:
            self._waiter = self._loop.create_future()
            if not self._settled:
                await self._waiter
        if self._error:
            raise StreamError(self._error)

    def settle(self, error: str) -> None:
        """Notes how it ended: in an error, or "". Called by the native library's threads."""
        self._error = error
        self._settled = True
        if self._waiter is not None:
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                return  # The loop was closed by somebody who still waits on it.

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class EventRouter:
    """Takes the place of the SDK's FfiQueue, whose interface it has.

    A room that is garbage unsubscribes (Room.__del__), and garbage is collected wherever something
    is allocated: in any thread, in the middle of any method here. So giving out events takes no
    lock, the lock lets its holder in again, and what is iterated over is a copy that was made
    without allocating anything on the way, as list() of a dict or of its values is.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._loops: dict[asyncio.AbstractEventLoop, _Subscriptions] = {}
        self._numbers = itertools.count(OWN_NUMBERS)
        self._writes: dict[int, Write] = {}

    def put(self, item: FfiEvent) -> None:
        """Called by the native library's threads."""
        if item.WhichOneof("message") == "text_stream_writer_write":
            written = item.text_stream_writer_write
            if write := self._writes.pop(written.async_id, None):
                failed = written.HasField("error")
                write.settle((written.error.description or "unknown error") if failed else "")
                return
        for each in list(self._loops.values()):
            each.put(item)

    def subscribe(
        self, loop: asyncio.AbstractEventLoop | None = None, filter_fn: Filter | None = None
    ) -> Queue[FfiEvent]:
        """A queue of the events to come, of those that pass the filter."""
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
        """Goes on with a queue that somebody has already."""
        with self._lock:
            subscriptions = self._loops.get(loop) or _Subscriptions(loop)
            subscriptions.add(queue, filter_fn)
            # In any case: others may have been the last ones, and gone, meanwhile.
            self._loops[loop] = subscriptions

    def begin_write(self, stream: int, text: str) -> Write:
        """Sends text on a stream, by its writer's handle, on which no other write may be under way.

        Raises:
            AssertionError: the native library does not know the stream (any more).
        """
        request, number = FfiRequest(), next(self._numbers)
        request.text_stream_write.writer_handle = stream
        request.text_stream_write.text = text
        request.text_stream_write.request_async_id = number
        write = self._writes[number] = Write()
        try:
            FfiClient.instance.request(request)
        except BaseException:
            self._writes.pop(number, None)
            raise
        return write

    def claim(self, room: rtc.Room) -> None:
        """Gives a connected room its own events only, until it disconnects. To be called on its
        loop."""
        queue: Queue[FfiEvent] = room._ffi_queue  # pyright: ignore[reportPrivateUsage]
        handle = room._ffi_handle  # pyright: ignore[reportPrivateUsage]
        participant = room.local_participant._ffi_handle  # pyright: ignore[reportPrivateUsage]
        with self._lock:
            for subscriptions in list(self._loops.values()):
                if handle is not None and subscriptions.has(queue):
                    subscriptions.claim(queue, handle.handle, participant.handle)


class _Subscriptions:
    """Those who wait for events on one loop."""

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

    def remove(self, queue: Queue[FfiEvent]) -> bool:
        """Whether it was one of them."""
        if self._calls.pop(id(queue), None) or self._listeners.pop(id(queue), None):
            return True
        claimed = False
        for handle in list(self._rooms):
            if self._rooms.get(handle) is queue:
                self._rooms.pop(handle, None)
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
            # The loop was closed by somebody who still waits on it: nobody can hear of this.
            self._events.clear()

    def _deliver_all(self) -> None:
        # First, so that what comes from now on wakes the loop again.
        self._woken = False
        for _ in range(len(self._events)):
            self._deliver(self._events.popleft())

    def _deliver(self, event: FfiEvent) -> None:
        kind = event.WhichOneof("message")
        if kind == "room_event":
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
        if kind in PASSED_ON_BY_ROOMS:
            for queue in {id(room): room for room in list(self._rooms.values())}.values():
                queue.put_nowait(event)
        for queue, passes in list(self._listeners.values()):
            if passes(event):
                queue.put_nowait(event)


def install() -> None:
    """Has the SDK use an EventRouter from now on, and starts its native library.

    Where the SDK is not the one that this was made for, it is left as it is, and the log says so.
    """
    client = FfiClient.instance
    queue: FfiQueue[FfiEvent] | EventRouter = client.queue
    if isinstance(queue, EventRouter):
        return
    methods = {name for name in dir(queue) if not name.startswith("_")}
    if type(queue) is not FfiQueue or methods != {"put", "subscribe", "unsubscribe"}:
        logger.warning("an unknown version of the livekit SDK: its events are not routed")
        return
    router = EventRouter()
    with queue._lock:  # pyright: ignore[reportPrivateUsage]
        for subscriber in queue._subscribers:  # pyright: ignore[reportPrivateUsage]
            router.take_over(*subscriber)
        client._queue = router  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]


def claim(room: rtc.Room) -> None:
    """Gives a connected room its own events only, if events are routed."""
    queue: object = FfiClient.instance.queue
    if isinstance(queue, EventRouter):
        queue.claim(room)


async def begin_write(writer: TextStreamWriter, text: str) -> Write | None:
    """Sends text on an open stream, whose writer nobody else uses; what is returned tells when it
    has been sent. If events are not routed, it has been when this returns, with nothing.

    Raises:
        StreamError: it could not be sent.
        AssertionError: the native library does not know the stream (any more).
    """
    queue: object = FfiClient.instance.queue
    handle = writer._writer_handle  # pyright: ignore[reportPrivateUsage]
    if isinstance(queue, EventRouter) and handle is not None:
        return queue.begin_write(handle, text)
    await writer.write(text)
    return None
