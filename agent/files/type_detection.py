"""TypeDetection: detects the types of files, off the rooms' loop and within a deadline."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from agent.files.content_type import UNKNOWN, content_type

logger = logging.getLogger(__name__)

DEADLINE: Final = 1.0
"""Seconds; a file takes less than a millisecond."""


class TypeDetection:
    """Detects content types in a thread of its own, for all rooms of a process.

    A file whose type is not known within the deadline is `application/octet-stream`: its bytes are
    kept, nothing parses them, and `FILE_TYPES` decides whether such files are accepted. The thread
    reads at most HEAD_BYTES, in linear time (tests/patterns/test_patterns.py); the thread and the
    deadline protect the rooms from a mistake in that, or in a library.
    """

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="content types")

    async def detect(self, head: bytes, name: str) -> str:
        """The MIME type of a file that begins with these bytes (HEAD_BYTES, or all of it)."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline):
                return await loop.run_in_executor(self._thread, content_type, head, name)
        except TimeoutError:
            logger.warning(
                "the content type of a file was not found within %g s; it is treated as %s",
                self._deadline,
                UNKNOWN,
            )
            return UNKNOWN

    def close(self) -> None:
        """Cancels waiting detections. Does not wait for the thread: it may be stuck."""
        self._thread.shutdown(wait=False, cancel_futures=True)
