"""A worker's WebSocket: WorkerMessages in, ServerMessages out.

They are protobuf, or JSON to a worker whose last message was a text (livekit-server:
pkg/service/wsprotocol.go).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from aiohttp import WSMsgType
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from livekit.protocol import agent

if TYPE_CHECKING:
    from aiohttp import web

WRITE_WITHIN_SECONDS = 5.0


class WorkerProtocolError(Exception):
    """A worker sent a forbidden message: its connection ends."""


class WorkerUnavailableError(Exception):
    """A worker does not take a job, or has left: another one may."""


class WorkerConnection:
    """WorkerMessages in, ServerMessages out."""

    def __init__(self, websocket: web.WebSocketResponse) -> None:
        self._websocket = websocket
        self._as_json = False

    async def receive(self) -> agent.WorkerMessage | None:
        """The next message; None when the worker is gone. Raises WorkerProtocolError."""
        await asyncio.sleep(0)  # others get their turn between two waiting messages
        frame = await self._websocket.receive()
        try:
            if frame.type is WSMsgType.BINARY:
                self._as_json = False
                return agent.WorkerMessage.FromString(frame.data)
            if frame.type is WSMsgType.TEXT:
                self._as_json = True
                return json_format.Parse(frame.data, agent.WorkerMessage())
        except (DecodeError, json_format.ParseError, AttributeError, TypeError):
            raise WorkerProtocolError("no worker message") from None
        return None

    async def send(self, message: agent.ServerMessage) -> None:
        """Sends; a worker that does not read loses its connection.

        Raises WorkerUnavailableError.
        """
        try:
            async with asyncio.timeout(WRITE_WITHIN_SECONDS):
                if self._as_json:
                    text = json_format.MessageToJson(message, indent=None)
                    await self._websocket.send_str(text)
                else:
                    await self._websocket.send_bytes(message.SerializeToString())
        except (ConnectionError, RuntimeError, TimeoutError):
            await self.close()
            raise WorkerUnavailableError("the worker is gone") from None

    async def close(self) -> None:
        await self._websocket.close()


def pong(ping: agent.WorkerPing) -> agent.ServerMessage:
    """The answer to a worker's ping; times are ms since 1970."""
    return agent.ServerMessage(
        pong=agent.WorkerPong(last_timestamp=ping.timestamp, timestamp=int(time.time() * 1000))
    )
