"""CallNotices: the notices of one tool call, to the room or to one participant."""

from __future__ import annotations

import asyncio
import uuid

from agent.tool_calls.call_origin import CallOrigin
from agent.wire.notices import Notices
from toolkit.context import Progress
from toolkit.errors import ToolError

INTERVAL = 0.25
"""Seconds between two reports of progress of one call."""


class CallNotices:
    """`system` packets `tool.started`, `tool.progress` and `tool.finished`, with the call's id.

    A participant with notices of a call's progress gets those of its beginning and end, too.
    """

    def __init__(
        self,
        notices: Notices,
        tool: str,
        *,
        to: str | None,
        answers: CallOrigin | None = None,
        call_id: str | None = None,
    ) -> None:
        """
        Args:
            to: the one participant who gets the notices, or None for the whole room.
            answers: the message for whose answer the model calls, if it does.
            call_id: of a call that is made again; None: it is another one.
        """
        self.call_id = call_id or f"TC_{uuid.uuid4().hex[:16]}"
        self._notices = notices
        self._about: dict[str, object] = {
            "callId": self.call_id,
            "tool": tool,
            "inReplyTo": answers.message_id or None if answers else None,
            "inReplyToSenderId": answers.caller.identity
            if answers and answers.message_id
            else None,
            "position": answers.position if answers else None,
        }
        self._to = to
        self.is_of_model = answers is not None
        self._loop = asyncio.get_running_loop()
        self._latest: Progress | None = None
        self._sent: Progress | None = None
        self._scheduled = False
        self._pause: asyncio.TimerHandle | None = None
        self._begun = False
        self._over = False

    def begin(self) -> None:
        """Sends the notice that the call has begun, once."""
        if not self._begun:
            self._begun = True
            self._tell("tool.started", "")

    def report(self, progress: Progress) -> None:
        """Takes the latest progress, in any thread; intermediate progress between two packets is
        dropped."""
        self._latest = progress
        if self._scheduled:
            return
        self._scheduled = True
        try:
            self._loop.call_soon_threadsafe(self._send)
        except RuntimeError:
            # The loop and the room have ended; an abandoned thread is still running.
            return

    def finish(self, outcome: str, error: ToolError | None = None) -> None:
        """Sends the notice of the end (ok, error or cancelled), if there was one of the
        beginning."""
        self._over = True
        if self._pause is not None:
            self._pause.cancel()
        if self._begun:
            self._tell(
                "tool.finished",
                error.message if error else "",
                outcome=outcome,
                code=error.code if error else None,
            )

    def _send(self) -> None:
        progress = self._latest
        if self._over or progress is None:
            return
        self._sent = progress
        self.begin()
        self._tell("tool.progress", progress.text, progress=progress.fraction)
        self._pause = self._loop.call_later(INTERVAL, self._after_pause)

    def _after_pause(self) -> None:
        self._scheduled = False
        if self._latest is not self._sent:
            self._scheduled = True
            self._send()

    def _tell(self, event: str, text: str, **fields: object) -> None:
        self._notices.tell(self._to, event, text, message_id=None, **self._about, **fields)
