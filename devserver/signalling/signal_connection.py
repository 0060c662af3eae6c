"""The signal connection: SignalResponses out, in order, to one WebSocket."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from aiohttp import WSCloseCode
from google.protobuf import json_format
from livekit.protocol import rtc

if TYPE_CHECKING:
    from aiohttp import web

    from devserver.rooms.room_context import RoomContext

log = logging.getLogger("devserver.signal")

_CLOSE_TIMEOUT_SECONDS = 2.0


class SignalConnection:
    """Writes to one client's WebSocket from a bounded queue, so that no sender ever waits."""

    def __init__(
        self,
        context: RoomContext,
        websocket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
    ) -> None:
        self._context = context
        self._websocket = websocket
        self._transport = transport
        self._queue: deque[rtc.SignalResponse] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self.as_json = False
        """Whether the client speaks JSON: it does if its last message was a text."""
        self._writer = context.tasks.start(self._write(), name="signal writer")

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closing or self._websocket.closed

    def send(self, response: rtc.SignalResponse) -> None:
        """Queue ``response``, which must not change afterwards.

        A client that does not read loses its connection, as it would behind a full socket.
        """
        if self.closed:
            return
        if len(self._queue) >= self._context.limits.signal_queue:
            log.warning("closing a signal connection that does not read")
            self.cut()
            return
        self._queue.append(response)
        self._wake.set()

    def close(self) -> None:
        """Close the WebSocket cleanly once the queue is sent."""
        self._closing = True
        self._wake.set()

    async def wait_closed(self) -> None:
        """Wait until nothing is sent any more."""
        await asyncio.wait([self._writer])

    def cut(self) -> None:
        """Break the connection like a failing network: no close frame, nothing flushed."""
        self._closing = True
        self._writer.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _write(self) -> None:
        try:
            while True:
                while self._queue:
                    if self._context.faults.signal_delay:
                        await asyncio.sleep(self._context.faults.signal_delay)
                    await self._write_one(self._queue.popleft())
                if self._closing:
                    break
                self._wake.clear()
                await self._wake.wait()
            async with asyncio.timeout(_CLOSE_TIMEOUT_SECONDS):
                await self._websocket.close(code=WSCloseCode.OK)
        except (ConnectionError, RuntimeError, TimeoutError):
            # The client is gone, or does not answer: the read side notices and cleans up.
            self._closing = True
            self._queue.clear()

    async def _write_one(self, response: rtc.SignalResponse) -> None:
        if self.as_json:
            await self._websocket.send_str(json_format.MessageToJson(response, indent=None))
        else:
            await self._websocket.send_bytes(response.SerializeToString())
