"""Contents: files as a model can take them, text or a picture."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections import OrderedDict
from typing import Final

from agent.files.confined_process import UnreadableError, run_confined
from agent.files.content_type import PDF, is_image, is_text, is_utf8
from agent.files.store import FileStore
from agent.history.message import Attachment

logger = logging.getLogger(__name__)

IMAGE_SIDE: Final = 1_024
"""Pixels of the longer side of a picture as the model gets it."""

TIMEOUT: Final = 20.0
"""Seconds that a PDF or a picture may take."""

AT_ONCE: Final = 2
"""Processes that read files, for all rooms."""

CACHE_BYTES: Final = 32 * 2**20


class Contents:
    """The content of files, for all rooms of a process; recently read content is cached.

    Args:
        max_characters: of a text.
        vision: whether the model can see.
    """

    def __init__(self, store: FileStore, *, max_characters: int, vision: bool) -> None:
        self._store = store
        self._max_characters = max_characters
        self._vision = vision
        self._cache: OrderedDict[str, str | None] = OrderedDict()
        self._cached_bytes = 0
        self._at_once = asyncio.Semaphore(AT_ONCE)

    def has_text(self, attachment: Attachment) -> bool:
        """Whether there may be text in a file of its type."""
        return attachment.type == PDF or is_text(attachment.type)

    def has_image(self, attachment: Attachment) -> bool:
        """Whether it is a picture that the model could see."""
        return self._vision and is_image(attachment.type)

    async def text(self, attachment: Attachment) -> str:
        """The beginning of its text, one character more than `max_characters` if there is more.

        Raises:
            UnreadableError: it is damaged, takes too long, or is gone.
        """
        return await self._remembered(attachment, "text")

    async def image(self, attachment: Attachment) -> str:
        """The picture as a data URL of a JPEG. Raises UnreadableError as `text` does."""
        return await self._remembered(attachment, "image")

    def forget(self, hashes: frozenset[str]) -> None:
        """Drops cached contents of files."""
        for key in [key for key in self._cache if key.rpartition(" ")[2] in hashes]:
            self._cached_bytes -= _size(self._cache.pop(key))

    async def _remembered(self, attachment: Attachment, kind: str) -> str:
        # Whether it is a PDF or a text depends on its type, too.
        key = f"{kind} {attachment.type} {attachment.sha256}"
        if key not in self._cache:
            self._remember(key, await self._read(attachment, kind))
        self._cache.move_to_end(key)
        found = self._cache[key]
        if found is None:
            raise UnreadableError
        return found

    def _remember(self, key: str, found: str | None) -> None:
        if key in self._cache:
            self._cached_bytes -= _size(self._cache[key])
        self._cache[key] = found
        self._cached_bytes += _size(found)
        while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
            self._cached_bytes -= _size(self._cache.popitem(last=False)[1])

    async def _read(self, attachment: Attachment, kind: str) -> str | None:
        try:
            if kind == "image":
                jpeg = await self._extract("image", attachment.sha256, IMAGE_SIDE)
                return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
            if attachment.type == PDF:
                found = await self._extract("pdf", attachment.sha256, self._max_characters)
            else:
                found = await self._text(attachment.sha256)
        except (OSError, UnreadableError) as error:
            logger.info(
                "file content not readable, the model gets only its name: %s",
                str(error) or type(error).__name__,
            )
            return None
        return found.decode("utf-8-sig", errors="replace")[: self._max_characters + 1]

    async def _text(self, sha256: str) -> bytes:
        """In UTF-8; a text in another encoding is read by a process."""
        # Four bytes are the longest character.
        content = await self._store.read(sha256, 4 * self._max_characters + 4)
        if is_utf8(content):
            return content
        return await self._extract("text", sha256, self._max_characters)

    async def _extract(self, kind: str, sha256: str, bound: int) -> bytes:
        path = await self._store.find(sha256)
        async with self._at_once:
            file = await self._store.run(lambda: path.open("rb"))
            try:
                return await run_confined(
                    "agent.files.extraction", kind, str(bound), source=file, within=TIMEOUT
                )
            finally:
                file.close()


def _size(found: str | None) -> int:
    return len(found or "") + 100
