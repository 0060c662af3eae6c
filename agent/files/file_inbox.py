"""FileInbox: byte streams that people send become files, each once, stored or refused."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Self

from livekit import rtc
from livekit.rtc.data_stream import StreamError

from agent.config.settings import Settings
from agent.files.arrivals import Arrival, Arrivals
from agent.files.content_type import HEAD_BYTES, is_accepted
from agent.files.file_notices import FileNotices
from agent.files.file_quota import FileQuota, QuotaUse
from agent.files.files import Files
from agent.files.safe_name import safe_name
from agent.files.store import IncomingFile
from agent.history.message import Attachment
from agent.inbox.incoming_streams import ByteStream, ContestedError, RoomStreams
from agent.inbox.message import Form, IncomingMessage, Sender
from agent.inbox.people import People
from agent.limits.room_limits import RoomLimits
from agent.sdk.stream_record import NotKeptError
from agent.telemetry.metrics import FILE_BYTES, FILES
from agent.wire.attributes import PRIVATE, SCOPE
from agent.wire.notices import Notices
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

FILES_TOPIC: Final = "files"
NO_TOPIC: Final = ""

CLAIM_PATIENCE: Final = 2.0
"""Seconds that a file on a chat topic waits for the message that it belongs to. livekit-client
sends the message first (sendText), so that it is there already."""

MAX_KEPT: Final = 256 * 1024
"""Bytes of a file that are kept in memory until its end, in case somebody else writes into its
stream: so much of a file can be put together again."""

LONGEST: Final = 3_600.0
"""Seconds that a file may take in all, however steadily it trickles."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Limits of accepted files.

    Attributes:
        file_bytes: of one file.
        files: of one participant at once, and of one message.
        types: patterns of MIME types.
        silence: seconds without a chunk after which a stream is abandoned; a message waits as long
            for its file to begin.
    """

    file_bytes: int
    files: int
    types: tuple[str, ...]
    silence: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings have them."""
        return cls(
            file_bytes=settings.max_file_bytes,
            files=settings.max_files,
            types=settings.file_types,
            silence=settings.stream_timeout,
        )


class FileInbox:
    """Receives byte streams on topic `files`, without a topic and on the chat topics.

    A file that a message names belongs to that message. Any other is a message of its own,
    without text, which is not answered: the model reads about it with the next one that is.

    Args:
        deliver: takes a file that is a message of its own; may raise Refusal.
    """

    def __init__(  # noqa: PLR0913 - its parts
        self,
        streams: RoomStreams,
        *,
        files: Files,
        people: People,
        chat_topics: tuple[str, ...],
        limits: FileLimits,
        notices: Notices,
        room_limits: RoomLimits,
        quota: FileQuota,
        deliver: Callable[[IncomingMessage], None],
    ) -> None:
        self._streams = streams
        self._files = files
        self._people = people
        self._chat_topics = chat_topics
        self._limits = limits
        self._notices = notices
        self._room_limits = room_limits
        self._quota = quota
        self._deliver = deliver
        self._arrivals = Arrivals()
        self._open: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Registers the handlers; call it before connecting, since streams without one are lost."""
        for topic in self._topics():
            self._streams.on_bytes(topic, self._on_stream, max_kept=MAX_KEPT)

    async def aclose(self) -> None:
        """Stops listening and gives up the files that are on their way."""
        for topic in self._topics():
            self._streams.off_bytes(topic)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def attached(self, identity: str, stream_ids: Sequence[str]) -> tuple[Attachment, ...]:
        """The files that a message names, once they are here; without those that are refused or
        do not begin in time.

        Raises:
            Refusal: (413) too many.
        """
        if len(stream_ids) > self._limits.files:
            raise Refusal(413, f"A message may have {self._limits.files} files.")
        arrivals = [self._arrivals.of(identity, each) for each in dict.fromkeys(stream_ids)]
        for arrival in arrivals:
            arrival.claim()
        found = await asyncio.gather(*(each.wait(self._limits.silence) for each in arrivals))
        return tuple(each for each in found if each is not None)

    def _topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((NO_TOPIC, FILES_TOPIC, *self._chat_topics)))

    def _on_stream(self, stream: ByteStream, identity: str) -> None:
        if self._people.is_known(identity) and self._people.known(identity).is_agent:
            stream.close()
            return
        info = stream.info
        arrival = self._arrivals.of(identity, info.stream_id)
        arrival.begin()
        told = FileNotices(self._notices, identity, info.stream_id, safe_name(info.name))
        try:
            if self._open[identity] >= self._limits.files:
                raise Refusal(429, "Too many files at once.", retry_after=1.0)
            self._room_limits.take_file(identity)
        except Refusal as refusal:
            stream.close()
            arrival.end(None)
            told.refused(refusal)
            return
        self._open[identity] += 1
        task = asyncio.create_task(
            self._receive(stream, identity, arrival, told), name="incoming file"
        )
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._done(task, identity, stream, arrival))

    def _done(
        self,
        task: asyncio.Task[None],
        identity: str,
        stream: ByteStream,
        arrival: Arrival,
    ) -> None:
        stream.close()
        arrival.end(None)
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("receiving a file failed", exc_info=error)

    async def _receive(
        self, stream: ByteStream, identity: str, arrival: Arrival, told: FileNotices
    ) -> None:
        try:
            try:
                attachment = await self._stored(stream, identity, told)
            finally:
                self._free(identity)
            sender = await self._people.find(identity)
            if sender.is_agent:
                return
            FILES.add("received")
            FILE_BYTES.add("received", by=attachment.size)
            told.received(attachment)
            arrival.end(attachment)
            patience = CLAIM_PATIENCE if stream.info.topic in self._chat_topics else 0.0
            if not await arrival.is_claimed(patience):
                self._deliver(_message(stream.info, sender, attachment))
        except Refusal as refusal:
            told.refused(refusal)
        except StreamError as error:
            # Its sender abandoned it or has left, or declared a wrong size (livekit-ffi).
            logger.info("incoming file ended early and is refused: %s", error)
            told.refused(
                Refusal(400, "The file arrived incomplete, or not with its declared size.")
            )

    def _free(self, identity: str) -> None:
        self._open[identity] -= 1
        if not self._open[identity]:
            del self._open[identity]

    async def _stored(self, stream: ByteStream, identity: str, told: FileNotices) -> Attachment:
        info = stream.info
        if info.size is not None and info.size > self._limits.file_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(LONGEST), aclosing(self._pieces(stream, identity)) as pieces:
                return await self._stored_from(pieces, identity, info, told)
        except TimeoutError:
            raise Refusal(408, f"A file may take {LONGEST:g} s.") from None
        except (ContestedError, Refusal):
            if not stream.is_contested:
                raise
        async with aclosing(self._own_pieces(stream)) as pieces:
            return await self._stored_from(pieces, identity, info, told)

    async def _stored_from(
        self,
        pieces: AsyncIterator[bytes],
        identity: str,
        info: rtc.ByteStreamInfo,
        told: FileNotices,
    ) -> Attachment:
        use = await self._quota.open(identity, info.size)
        try:
            file = self._files.store.receive()
            try:
                mime_type = await self._read(_counted(pieces, use), file, info, told)
                size = file.size
                sha256 = await file.keep()
                use.keep()
            finally:
                await file.discard()
        finally:
            use.close()
        return Attachment(
            id=f"file_{uuid.uuid4().hex}",
            name=safe_name(info.name),
            type=mime_type,
            size=size,
            sha256=sha256,
        )

    async def _read(
        self,
        pieces: AsyncIterator[bytes],
        file: IncomingFile,
        info: rtc.ByteStreamInfo,
        told: FileNotices,
    ) -> str:
        """Reads to the end; returns the file's type."""
        head = b""
        mime_type: str | None = None
        async for piece in pieces:
            if file.size + len(piece) > self._limits.file_bytes:
                raise self._too_large()
            file.write(piece)
            if mime_type is None:
                head += piece[: HEAD_BYTES - len(head)]
                if len(head) == HEAD_BYTES:
                    mime_type = await self._accepted_type(head, info.name)
            # 0 stands for an unknown size, too (livekit rtc SDK, data_stream.py).
            told.progress(file.size, info.size or None)
        return mime_type or await self._accepted_type(head, info.name)

    async def _pieces(self, stream: ByteStream, identity: str) -> AsyncGenerator[bytes]:
        while True:
            try:
                async with asyncio.timeout(self._limits.silence):
                    piece = await anext(stream, None)
            except TimeoutError:
                raise self._unfinished() from None
            if piece is None:
                return
            self._room_limits.take_bytes(identity, len(piece))
            yield piece

    async def _own_pieces(self, stream: ByteStream) -> AsyncGenerator[bytes]:
        """Returns the sender's own bytes of a stream that others wrote into."""
        try:
            yield await stream.content(self._limits.silence)
        except TimeoutError:
            raise self._unfinished() from None
        except NotKeptError:
            if stream.is_unsized:
                raise Refusal(
                    400, f"A file of over {MAX_KEPT} bytes has to say its size."
                ) from None
            raise Refusal(
                409, "Somebody else wrote into the file. Please send it again.", retry_after=1.0
            ) from None

    def _unfinished(self) -> Refusal:
        seconds = f"{self._limits.silence:g}"
        return Refusal(408, f"The file was not finished: nothing came for {seconds} s.")

    async def _accepted_type(self, head: bytes, name: str) -> str:
        mime_type = await self._files.types.detect(head, name)
        if not is_accepted(mime_type, self._limits.types):
            raise Refusal(415, f"Files of type {mime_type} are not accepted.")
        return mime_type

    def _too_large(self) -> Refusal:
        return Refusal(413, f"A file may have {self._limits.file_bytes} bytes.")


async def _counted(pieces: AsyncIterator[bytes], use: QuotaUse) -> AsyncIterator[bytes]:
    async for piece in pieces:
        use.take(len(piece))
        yield piece


def _message(info: rtc.ByteStreamInfo, sender: Sender, attachment: Attachment) -> IncomingMessage:
    """A file that belongs to no message, as a message of its own."""
    return IncomingMessage(
        id=info.stream_id,
        sender=sender,
        text="",
        timestamp=info.timestamp or int(time.time() * 1000),
        form=Form.FILE,
        private=(info.attributes or {}).get(SCOPE) == PRIVATE,
        attachments=(attachment,),
    )
