"""Files that the agent makes: their content on disk, and their description."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.files.content_type import HEAD_BYTES
from agent.files.file_quota import QuotaUse
from agent.files.safe_name import safe_name
from agent.files.store import BLOCK_BYTES, FileStore, IncomingFile
from agent.files.type_detection import TypeDetection
from agent.history.message import Attachment
from agent.wire.refusal import Refusal
from toolkit.errors import RateLimited, StorageFull, TooLarge, ToolError, Unavailable
from toolkit.file import File

_TOO_LARGE: Final = 413


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file to send.

    Attributes:
        temporary: deleted once it is sent; None: it stays in the store.
    """

    attachment: Attachment
    path: Path
    temporary: IncomingFile | None = None

    async def discard(self) -> None:
        """Deletes the file if it is temporary: it is sent, or will not be."""
        if self.temporary is not None:
            await self.temporary.discard()


class FileMaker:
    """Writes the files of tools to disk, within the limits of files that people send."""

    def __init__(self, store: FileStore, types: TypeDetection, *, max_bytes: int) -> None:
        self._store = store
        self._types = types
        self._max_bytes = max_bytes

    async def keep(self, file: File, use: QuotaUse) -> Outgoing:
        """A file of an answer, which stays and counts in a quota. Raises ToolError."""
        incoming, head = await self._written(self._pieces(file), use)
        try:
            size = incoming.size
            sha256 = await incoming.keep()
            use.keep()
        except Refusal as refusal:
            raise to_tool_error(refusal) from None
        finally:
            await incoming.discard()
        attachment = await self._described(file, head, size, sha256)
        return Outgoing(attachment, self._store.path(sha256))

    async def make(self, file: File) -> Outgoing:
        """A file that is gone once it is sent. Raises ToolError."""
        return await self.write(file, self._pieces(file))

    async def write(self, about: File, pieces: AsyncIterator[bytes]) -> Outgoing:
        """A file out of pieces, gone once it is sent; `about` describes it. Raises ToolError."""
        incoming, head = await self._written(pieces)
        try:
            sha256 = await incoming.finish()
            attachment = await self._described(about, head, incoming.size, sha256)
        except BaseException as error:
            await incoming.discard()
            if isinstance(error, Refusal):
                raise to_tool_error(error) from None
            raise
        return Outgoing(attachment, incoming.path, incoming)

    async def _written(
        self, pieces: AsyncIterator[bytes], use: QuotaUse | None = None
    ) -> tuple[IncomingFile, bytes]:
        head = b""
        try:
            incoming = self._store.receive()
        except Refusal as refusal:
            raise to_tool_error(refusal) from None
        complete = False
        try:
            async for piece in pieces:
                if incoming.size + len(piece) > self._max_bytes:
                    raise TooLarge(f"A file may have {self._max_bytes} bytes")
                if use is not None:
                    use.take(len(piece))
                head += piece[: HEAD_BYTES - len(head)]
                incoming.write(piece)
                await incoming.drain()
            complete = True
        except Refusal as refusal:
            raise to_tool_error(refusal) from None
        finally:
            if not complete:
                await incoming.discard()
        return incoming, head

    async def _pieces(self, file: File) -> AsyncIterator[bytes]:
        content = file.content
        if isinstance(content, Path):
            opened = await self._store.run(lambda: content.open("rb"))
            try:
                while piece := await self._store.run(lambda: opened.read(BLOCK_BYTES)):
                    yield piece
            finally:
                opened.close()
            return
        data = content.encode() if isinstance(content, str) else content
        for start in range(0, len(data), BLOCK_BYTES):
            yield data[start : start + BLOCK_BYTES]

    async def _described(self, file: File, head: bytes, size: int, sha256: str) -> Attachment:
        name = safe_name(file.name)
        return Attachment(
            id=f"file_{uuid.uuid4().hex}",
            name=name,
            type=file.mime_type or await self._types.detect(head, name),
            size=size,
            sha256=sha256,
        )


def to_tool_error(refusal: Refusal) -> ToolError:
    """Translates an error of the store for the participant who asked."""
    if refusal.code == _TOO_LARGE:
        return TooLarge(refusal.sentence)
    if refusal.code == RateLimited.code:
        return RateLimited(refusal.sentence, retry_after=refusal.retry_after)
    if refusal.code == StorageFull.code:
        return StorageFull(refusal.sentence, retry_after=refusal.retry_after)
    return Unavailable(refusal.sentence, retry_after=refusal.retry_after)
