"""Notices to the sender of a file."""

from __future__ import annotations

import time
from typing import Final

from agent.history.message import Attachment
from agent.wire.notices import Notices
from agent.wire.refusal import Refusal

PROGRESS_EVERY: Final = 1.0
"""Seconds between two reports about a file."""

MAX_ID_LENGTH: Final = 256


class FileNotices:
    """`system` packets about one incoming file, to its sender alone.

    `streamId` is the id under which the sender sent it, `fileId` the agent's own.
    """

    def __init__(self, notices: Notices, identity: str, stream_id: str, name: str) -> None:
        self._notices = notices
        self._identity = identity
        self._stream_id = stream_id[:MAX_ID_LENGTH]
        self._name = name
        self._told_at = time.monotonic()

    def progress(self, received: int, size: int | None) -> None:
        """Reports the number of bytes received, if a report is due."""
        now = time.monotonic()
        if now - self._told_at < PROGRESS_EVERY:
            return
        self._told_at = now
        self._tell("file.progress", "", name=self._name, received=received, size=size)

    def received(self, attachment: Attachment) -> None:
        """Reports that it is stored."""
        self._tell(
            "file.received",
            "",
            fileId=attachment.id,
            name=attachment.name,
            mimeType=attachment.type,
            size=attachment.size,
            sha256=attachment.sha256,
        )

    def refused(self, refusal: Refusal) -> None:
        """Reports that it is refused, and why."""
        self._tell(
            "file.refused",
            refusal.sentence,
            name=self._name,
            code=refusal.code,
            retryAfter=refusal.retry_after,
        )

    def _tell(self, event: str, text: str, **fields: str | float | None) -> None:
        self._notices.tell(
            self._identity, event, text, message_id=None, streamId=self._stream_id, **fields
        )
