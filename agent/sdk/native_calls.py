"""Calls: asynchronous requests to the native SDK, and their completions.

Each has an id chosen by the worker (`request_async_id`), so that its completion cannot be missed
between the request and its response. If events are routed (native_events.py), the router delivers
completions; otherwise a filter does.

All code that relies on the SDK's private parts for this is here.
tests/agent/sdk/test_native_events.py checks them.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final

from livekit.rtc._ffi_client import FfiClient, FfiQueue
from livekit.rtc._proto.ffi_pb2 import FfiEvent, FfiRequest
from livekit.rtc.data_stream import StreamError

OWN_NUMBERS: Final = 1 << 62
"""The first id of the worker's calls: the native library counts its own from 1."""


class Call:
    """One asynchronous request to the native library.

    A native thread delivers its completion, and at most one task awaits it, on the loop that began
    it. Each side first publishes its own state and then reads the other's, so that one of them sees
    both.
    """

    def __init__(self, failure: type[Exception] = StreamError) -> None:
        """`failure`: raised, with the native library's text, if the request failed."""
        self._loop = asyncio.get_running_loop()
        self._failure = failure
        self._waiter: asyncio.Future[None] | None = None
        self._end: Any = None
        """The native library's message, once there."""

    @property
    def succeeded(self) -> bool:
        """Whether it has been done already."""
        return self._end is not None and not self._end.HasField("error")

    async def settled(self) -> Any:  # noqa: ANN401 - each kind of call has its own
        """Returns the native library's message (of livekit/rtc/_proto) when it has been done.

        Raises:
            Exception: it could not be done; of the class that the call was begun with.
        """
        if self._end is None:
            self._waiter = self._loop.create_future()
            if self._end is None:
                await self._waiter
        end: Any = self._end
        if end.HasField("error"):
            error = end.error
            raise self._failure(error if isinstance(error, str) else error.description)
        return end

    def settle(self, end: Any) -> None:  # noqa: ANN401 - as above
        """Records the completion. Called by the native library's threads."""
        self._end = end
        if self._waiter is not None:
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                return  # The loop was closed by somebody who still waits on it.

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Calls:
    """Calls under way. Each has a number of the worker's own (`request_async_id`), so that its end
    cannot be missed between the request and its answer."""

    ENDS: Final = frozenset(
        {
            "text_stream_open",
            "text_stream_writer_write",
            "text_stream_writer_close",
            "send_text",
            "send_stream_header",
            "send_stream_chunk",
            "send_stream_trailer",
            "publish_data",
            "publish_transcription",
        }
    )
    """Kinds of events that such a call may end with."""

    def __init__(self) -> None:
        self._numbers = itertools.count(OWN_NUMBERS)
        self._under_way: dict[int, Call] = {}
        self._heard: object = None

    def begin(self, request: FfiRequest, call: Call) -> None:
        """Raises AssertionError: the native library refuses it at once."""
        client = FfiClient.instance
        if not getattr(client.queue, "settles_calls", False):
            self._listen(client.queue)
        number = next(self._numbers)
        getattr(request, request.WhichOneof("message") or "").request_async_id = number
        self._under_way[number] = call
        try:
            client.request(request)
        except BaseException:
            self._under_way.pop(number, None)
            raise

    def settle(self, event: FfiEvent, kind: str | None) -> bool:
        """Whether the event was the completion of one of them."""
        if kind not in self.ENDS:
            return False
        end = getattr(event, kind)
        call = self._under_way.pop(end.async_id, None)
        if call is None:
            return False
        call.settle(end)
        return True

    def _listen(self, queue: FfiQueue[FfiEvent]) -> None:
        """Receives completions if events are not routed: as a filter that lets nothing pass."""

        def hear(event: FfiEvent) -> bool:
            self.settle(event, event.WhichOneof("message"))
            return False

        if self._heard is not queue:
            self._heard = queue
            queue.subscribe(asyncio.get_running_loop(), hear)


CALLS: Final = Calls()
"""The calls of this process."""


def begin(request: FfiRequest, call: Call) -> None:
    """Asks the native library for something that ends with one of the events of `Calls.ENDS`.

    Raises:
        AssertionError: it refuses that at once.
    """
    CALLS.begin(request, call)
