"""ActiveAnswer: the answer in progress of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.app.turn import Turn
from agent.chat.question import Question
from agent.chat.responder import Response
from agent.contract.finish_reason import FinishReason
from agent.history.message import Attachment


class ActiveAnswer:
    """One question that is being answered. It can be stopped from its first moment on.

    Attributes:
        attachments: files that became part of the answer.
        timed_out: the answer took too long, and was stopped as an `error`.
        turn: the turn that the app's hooks got; None without hooks.
    """

    def __init__(self, question: Question, *, timeout: float, on_stop: Callable[[], None]) -> None:
        """
        Args:
            timeout: seconds from now after which the answer is stopped; 0: never.
            on_stop: called when the answer is stopped, and when it ends.
        """
        self.question = question
        self.timed_out = False
        self.timeout = timeout
        self.turn: Turn | None = None
        self.attachments: list[Attachment] = []
        self._on_stop = on_stop
        self._response: Response | None = None
        self._stopped: FinishReason | None = None
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[FinishReason] = loop.create_future()
        self._timer = loop.call_later(timeout, self._time_out) if timeout else None

    @property
    def stopped(self) -> FinishReason | None:
        """The finish reason of the first request to stop it."""
        return self._stopped

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools that the model has called for it, in order."""
        said = () if self._response is None else self._response.said
        return tuple(item.name for item in said if item.type == "function_call")

    @property
    def heard(self) -> str | None:
        """The text spoken so far, if the answer was stopped while it was spoken."""
        if self._response is None or self._stopped not in {"interrupted", "cancelled"}:
            return None
        return self._response.heard

    def attach(self, response: Response) -> None:
        """Attaches the response once the model has begun."""
        self._response = response
        if self._stopped is not None:
            response.interrupt(force=True)

    def stop(self, reason: FinishReason, *, force: bool = True) -> bool:
        """Ends it with this finish reason, unless it is ending already. Without `force`, False: its
        agent does not let it be stopped at present."""
        if self._response is not None and not self._response.interrupt(force=force):
            return False
        if self._stopped is None:
            self._stopped = reason
        if self._timer is not None:
            self._timer.cancel()
        self._on_stop()
        return True

    def end(self, reason: FinishReason) -> None:
        """It has ended, and begins to be stored."""
        self._ended.set_result(reason)

    async def ended(self) -> FinishReason:
        """Waits for the end; returns the finish reason."""
        return await asyncio.shield(self._ended)

    def _time_out(self) -> None:
        self.timed_out = True
        self.stop("error")
