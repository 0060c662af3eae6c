"""StreamRecord: the packets of one incoming stream, and their senders.

The SDK matches the packets of a stream by the stream's id alone (livekit-data-stream,
incoming/manager.rs): any participant can write into, or end, a stream that another has open. Each
packet's event names its sender, so a record separates packets of the header's sender from those of
others.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import Final

from livekit.rtc.data_stream import StreamError

RAW_DEFLATE: Final = -15
"""zlib's name for DEFLATE without header and checksum, which the SDKs compress streams with."""


class NotKeptError(Exception):
    """Others wrote into a stream that is too long to be reassembled without their packets."""


class StreamRecord:
    """One stream, from its header to its end.

    Args:
        stream_id: by which its packets name it.
        owner: who sent the header; only their packets count.
        attributes: the header's. A trailer cannot change them.
        total_length: of the content, as the header says; None: unknown.
        max_kept: bytes of content that are kept, for a stream that has to be put together again.
        is_whole: whether its packets have been heard from the header on.
    """

    def __init__(
        self,
        stream_id: str,
        owner: str,
        attributes: Mapping[str, str],
        *,
        total_length: int | None,
        max_kept: int,
        is_whole: bool = True,
    ) -> None:
        self.stream_id = stream_id
        self.owner = owner
        self.is_read = False
        """Whether it was passed to its topic's handler."""
        self.is_handled = True
        """Whether its topic has a handler."""
        self.is_generated = False
        """Whether an agent sent it in the owner's name."""
        self.is_unsized = False
        """Whether the header declares the length 0, though there may be content: livekit-client
        2.15 does so for byte streams without `totalSize`, and the SDK takes it at its word."""
        self.attributes = dict(attributes)
        self.total_length = total_length
        self.is_contested = False
        """Whether packets for it came from somebody else."""
        self.has_packets = False
        """Whether any came after the header: a short stream is inside its header."""
        self._max_kept = max_kept
        self._chunks: list[bytes] = []
        self._next = 0
        self._kept = 0
        self._whole = is_whole
        self._reason: str | None = None
        """The owner's trailer's; empty where the stream ended well."""
        self._strangers: set[str] = set()
        self._changed = asyncio.Event()

    @property
    def has_ended(self) -> bool:
        """Whether the owner's trailer is here."""
        return self._reason is not None

    def contest(self) -> None:
        """Notes a packet that is not the owner's."""
        self.is_contested = self.has_packets = True
        self._notify()

    def is_first_from(self, identity: str) -> bool:
        """Whether this is the first call for this identity, which is not the owner."""
        is_first = identity not in self._strangers
        self._strangers.add(identity)
        return is_first

    def add(self, index: int, content: bytes) -> None:
        """Takes a chunk of the owner's."""
        self.has_packets = True
        if index >= self._next:  # Others are repetitions, after a reconnection.
            self._whole &= index == self._next
            self._next = index + 1
            self._kept += len(content)
            if self._whole and self._kept <= self._max_kept:
                self._chunks.append(content)
            else:
                self._chunks.clear()
        self._notify()

    def end(self, reason: str) -> None:
        """Takes the owner's trailer."""
        self.has_packets = True
        self._reason = reason
        self._notify()

    async def changed(self) -> None:
        """Returns when the next packet has come, the owner's or another."""
        await self._changed.wait()

    def content(self) -> bytes:
        """Returns everything that the owner sent, once the stream has ended.

        Raises:
            StreamError: it is incomplete, or its sender aborted it.
            NotKeptError: it was too long to keep.
        """
        if self._reason:
            raise StreamError(f"stream closed abnormally: {self._reason}")
        if self._kept > self._max_kept:
            raise NotKeptError
        if not self._whole:
            raise StreamError("it is incomplete")
        content = b"".join(self._chunks)
        if self.total_length is None or self.is_unsized or len(content) == self.total_length:
            return content
        return self._inflated(content, self.total_length)

    def _inflated(self, content: bytes, size: int) -> bytes:
        """A header that was compressed looks the same, but its length is that of the content."""
        inflater = zlib.decompressobj(RAW_DEFLATE)
        try:
            inflated = inflater.decompress(content, min(size, self._max_kept) + 1)
        except zlib.error:
            raise StreamError("it is incomplete") from None
        if len(inflated) != size:
            raise StreamError("it is incomplete")
        return inflated

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
