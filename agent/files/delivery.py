"""FileDelivery: sends files to the room, or to one participant, privately if they are private.

Byte streams to chosen participants are not private: the SDK addresses their headers only, and the
server sends their chunks to everybody (livekit-rtc; docs/security.md). Data packets are addressed
as a whole, and so are files short enough to travel inside their stream's header.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from livekit import rtc
from livekit.rtc.data_stream import StreamError
from livekit.rtc.participant import PublishDataError

from agent.contract.packets import FilePiece
from agent.files.outgoing import Outgoing
from agent.files.store import FileStore
from agent.telemetry.metrics import FILE_BYTES, FILES
from agent.tool_calls.call_origin import CallOrigin
from agent.wire.attributes import position_attribute
from agent.wire.publish import publish
from toolkit.errors import RateLimited, TooLarge

logger = logging.getLogger(__name__)

FILES_TOPIC: Final = "files"

MAX_INLINE_BYTES: Final = 10_000
"""Largest file in a header, in bytes. 14,500 bytes with few attributes were measured to fit."""

PART_BYTES: Final = 9_600
"""Bytes of a file in one packet: 12,800 characters of base64, leaving 1,200 bytes for the other
fields."""

MAX_PRIVATE_BYTES: Final = 10 * 2**20
"""Largest file in packets, in bytes: 1,093 packets."""

STREAM_BLOCK_BYTES: Final = 60_000
WRITE_TIMEOUT: Final = 30.0

MAX_WAITING: Final = 8
"""Files for one participant, or for the room, that are under way or wait."""

AT_ONCE: Final = 2
"""Files of one room under way at a time: answers share the connection with them."""

_TO_ROOM: Final = ""


class FileDelivery:
    """Sends files of one room, each in a task of its own.

    Args:
        reads_alone: whether a short stream to an identity reaches nobody else.
    """

    def __init__(
        self,
        room: rtc.Room,
        store: FileStore,
        *,
        reads_alone: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._room = room
        self._store = store
        self._reads_alone = reads_alone
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._under_way: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def send(
        self,
        file: Outgoing,
        *,
        to: str | None,
        private: bool = False,
        answers: CallOrigin | None = None,
    ) -> None:
        """Begins to send a file: to everybody (None), or to one participant.

        Args:
            private: nobody else may get a byte of it.
            answers: the message that it answers, if any.

        Raises:
            ToolError: a private file is too large, or too many are under way.
        """
        if private and file.attachment.size > MAX_PRIVATE_BYTES:
            raise TooLarge(
                f"A private file may have {MAX_PRIVATE_BYTES} bytes: larger ones would go "
                "through streams, which everybody in the room receives"
            )
        key = _TO_ROOM if to is None else to
        if self._under_way[key] >= MAX_WAITING:
            raise RateLimited(f"{MAX_WAITING} files are being sent already", retry_after=5.0)
        self._under_way[key] += 1
        task = asyncio.create_task(
            self._send(file, to, private=private, answers=answers), name="send a file"
        )
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._done(task, key))

    async def aclose(self) -> None:
        """Cancels deliveries in progress."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None], key: str) -> None:
        self._tasks.discard(task)
        self._under_way[key] -= 1
        if not self._under_way[key]:
            del self._under_way[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("sending a file failed", exc_info=error)

    async def _send(
        self, file: Outgoing, to: str | None, *, private: bool, answers: CallOrigin | None
    ) -> None:
        try:
            async with self._at_once:
                if to is None or not private:
                    await self._send_stream(file, to, answers)
                elif file.attachment.size <= MAX_INLINE_BYTES and await self._reads_alone(to):
                    await self._send_inline(file, to, answers)
                else:
                    await self._send_packets(file, to, answers)
            FILES.add("sent")
            FILE_BYTES.add("sent", by=file.attachment.size)
        except (StreamError, PublishDataError, TimeoutError, OSError) as error:
            logger.warning("file not sent: %s", type(error).__name__)
        finally:
            await file.discard()

    async def _send_stream(
        self, file: Outgoing, to: str | None, answers: CallOrigin | None
    ) -> None:
        about = file.attachment
        async with asyncio.timeout(WRITE_TIMEOUT):
            writer = await self._room.local_participant.stream_bytes(
                about.name,
                total_size=about.size,
                mime_type=about.type,
                attributes=_attributes(file, answers, scope="room"),
                destination_identities=None if to is None else [to],
                topic=FILES_TOPIC,
            )
        complete = False
        try:
            async for piece in self._pieces(file, STREAM_BLOCK_BYTES):
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await writer.write(piece)
            complete = True
        finally:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await writer.aclose(reason="" if complete else "the file could not be sent")

    async def _send_inline(self, file: Outgoing, to: str, answers: CallOrigin | None) -> None:
        content = b"".join([piece async for piece in self._pieces(file, MAX_INLINE_BYTES)])
        async with asyncio.timeout(WRITE_TIMEOUT):
            await self._room.local_participant.send_bytes(
                content,
                topic=FILES_TOPIC,
                name=file.attachment.name,
                mime_type=file.attachment.type,
                destination_identities=[to],
                attributes=_attributes(file, answers, scope="private"),
                compress=False,
            )

    async def _send_packets(self, file: Outgoing, to: str, answers: CallOrigin | None) -> None:
        """`{type: "file", fileId, seq, total, …, data}`: parts in base64, addressed."""
        about = file.attachment
        total = max(1, -(-about.size // PART_BYTES))
        body: FilePiece = {
            "type": "file",
            "fileId": about.id,
            "seq": 0,
            "total": total,
            "name": about.name,
            "mimeType": about.type,
            "size": about.size,
            "sha256": about.sha256,
            "data": "",
        }
        if answers is not None and answers.message_id:  # not asked for by RPC
            body["inReplyTo"] = answers.message_id
            body["inReplyToSenderId"] = answers.caller.identity
            if answers.position is not None:
                body["position"] = answers.position
        pieces = self._pieces(file, PART_BYTES)
        for seq in range(total):
            piece = await anext(pieces, b"")
            body["seq"] = seq
            body["data"] = base64.b64encode(piece).decode()
            async with asyncio.timeout(WRITE_TIMEOUT):
                await publish(self._room, body, topic=FILES_TOPIC, to=[to])

    async def _pieces(self, file: Outgoing, size: int) -> AsyncIterator[bytes]:
        opened = await self._store.run(lambda: file.path.open("rb"))
        try:
            while piece := await self._store.run(lambda: opened.read(size)):
                yield piece
        finally:
            opened.close()


def _attributes(file: Outgoing, answers: CallOrigin | None, *, scope: str) -> dict[str, str]:
    attributes = {"file_id": file.attachment.id, "scope": scope, "sha256": file.attachment.sha256}
    if answers is not None:
        attributes["in_reply_to"] = answers.message_id
        attributes["in_reply_to_sender"] = answers.caller.identity
        attributes |= position_attribute(answers.position)
    return attributes
