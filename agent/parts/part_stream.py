"""PartStream: sends the parts of one answer to the room, or to some participants only."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from livekit import rtc
from livekit.rtc.data_stream import StreamError

from agent.sdk.native_sending import AddressedText
from agent.sdk.outgoing import OutgoingText
from agent.sdk.sending import open_text
from agent.wire.envelope import encode

logger = logging.getLogger(__name__)

TOPIC: Final = "agent.parts"

WINDOW: Final = 0.1
"""Seconds between two writes; of a part that changes several times meanwhile, the last state goes
out."""

WRITE_TIMEOUT: Final = 10.0

BYTES_AS_THEY_CHANGE: Final = 4_194_304
"""Bytes of one stream. Beyond that, a part that keeps changing is sent once more at the end, and
not in between."""


class PartStream:
    """A text stream of JSON lines, opened with the first one. `put` and `append` never wait.

    With `to`, header, content and trailer go to these identities alone. Its id is like no other's:
    clients tell by `lk.segment_id` which answer it belongs to.
    """

    def __init__(
        self, room: rtc.Room, segment_id: str, attributes: Mapping[str, str], to: Sequence[str] = ()
    ) -> None:
        self.listeners = set(to)
        self._room = room
        self._stream_id = f"{segment_id}:{TOPIC}:{secrets.token_hex(4)}"
        self._attributes = attributes
        self._to = tuple(to)
        self._waiting: dict[str, dict[str, Any]] = {}
        self._sent = 0
        self._ending: Mapping[str, str] | None = None
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def put(self, part: Mapping[str, object]) -> None:
        """Takes a part, replacing its pending state."""
        self._waiting[str(part["id"])] = dict(part)
        self._wake()

    def append(self, part_id: str, text: str) -> None:
        """Appends text to a part that was put before."""
        waiting = self._waiting.setdefault(part_id, {"id": part_id, "append": ""})
        waiting["append" if "append" in waiting else "text"] += text
        self._wake()

    def end(self, attributes: Mapping[str, str]) -> asyncio.Task[None]:
        """Writes pending parts and the trailer; returns when all of it is sent or has failed."""
        self._ending = attributes
        self._ended.set()
        return self._wake()

    def cancel(self) -> None:
        """Abandons the stream at once."""
        if self._task is not None:
            self._task.cancel()

    def _wake(self) -> asyncio.Task[None]:
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._pump(), name="parts of an answer")
        return self._task

    async def _pump(self) -> None:
        try:
            await self._write_all()
        except (StreamError, TimeoutError, AssertionError) as error:
            # AssertionError: the native library does not know the room any more.
            logger.warning("parts of an answer not sent: %s", str(error) or type(error).__name__)
        except Exception:
            # The boundary around one stream: the answer's text, and its end, go out.
            logger.exception("parts of an answer not sent; its text was")

    async def _write_all(self) -> None:
        stream = self._open()
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._waiting:
                lines = [encode(part) + b"\n" for part in self._waiting.values()]
                self._waiting.clear()
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await stream.write(b"".join(lines).decode())
                self._sent += sum(map(len, lines))
                await self._pause()
            if self._waiting:
                self._changed.set()
            elif self._ending is not None:
                break
        async with asyncio.timeout(WRITE_TIMEOUT):
            await stream.close(self._ending)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(WINDOW if self._sent < BYTES_AS_THEY_CHANGE else None):
                await self._ended.wait()
        except TimeoutError:
            return

    def _open(self) -> _Way:
        if self._to:
            return AddressedText(
                self._room, TOPIC, self._attributes, self._to, stream_id=self._stream_id
            )
        return _ToRoom(open_text(self._room, TOPIC, self._attributes, stream_id=self._stream_id))


class _Way(Protocol):
    """A text stream. Raises StreamError, or AssertionError once the room is gone."""

    async def write(self, text: str) -> None: ...

    async def close(self, attributes: Mapping[str, str]) -> None: ...


class _ToRoom:
    def __init__(self, text: OutgoingText) -> None:
        self._text = text

    async def write(self, text: str) -> None:
        await self._text.opened()
        await self._text.begin_write(text).settled()

    async def close(self, attributes: Mapping[str, str]) -> None:
        await self._text.opened()
        await self._text.begin_close(attributes).settled()
