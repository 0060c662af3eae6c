"""SessionText: the text output of an AgentSession."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from livekit.agents.voice.io import TextOutput

from agent.replies.reply_sink import ReplySink


class SessionText(TextOutput):
    """Passes text to the answer in progress. Text that belongs to none waits for one.

    Args:
        on_unasked: called when text waits.
    """

    def __init__(self, reply: ReplySink, on_unasked: Callable[[], None]) -> None:
        super().__init__(label="room", next_in_chain=None)
        self._reply = reply
        self._on_unasked = on_unasked
        self._opened = asyncio.Event()
        self._waits = 0
        self._drops = False
        self.spoken: TextOutput | None = None
        """Takes the text while it is spoken, and passes it to the answer."""
        self.unasked = asyncio.Event()
        """Set while text waits."""

    def open(self) -> None:
        """Assigns further text to the answer in progress."""
        self._opened.set()

    def close(self) -> None:
        """Ends the assignment: the answer has ended."""
        self._opened.clear()

    def drop(self, *, drops: bool) -> None:
        """Drops text from now on, or stops dropping it."""
        self._drops = drops

    async def capture_text(self, text: str) -> None:
        """Called by the session for each piece of text."""
        if self._drops:
            return
        if not self._opened.is_set():
            await self._until_open()
        if self.spoken is not None:
            await self.spoken.capture_text(text)
        else:
            self._reply.push(text)

    def flush(self) -> None:
        """Called by the session when a speech, or a step of it, has no more text."""
        if self.spoken is not None:
            self.spoken.flush()
        elif self._opened.is_set():
            self._reply.flush()

    async def _until_open(self) -> None:
        self._waits += 1
        self.unasked.set()
        self._on_unasked()
        try:
            await self._opened.wait()
        finally:
            self._waits -= 1
            if not self._waits:
                self.unasked.clear()
