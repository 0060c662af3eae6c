"""ActiveAnswer: the answer in progress of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.chat.conversation_store import Question
from agent.chat.responder import Response
from agent.history.message import Attachment, FinishReason


class ActiveAnswer:
    """One question that is being answered. It can be stopped from its first moment on.

    Attributes:
        attachments: files that became part of the answer.
    """

    def __init__(self, question: Question, *, on_stop: Callable[[], None]) -> None:
        """`on_stop` is called when it is stopped, and at its end."""
        self.question = question
        self.attachments: list[Attachment] = []
        self._on_stop = on_stop
        self._response: Response | None = None
        self._stopped: FinishReason | None = None
        self._ended: asyncio.Future[FinishReason] = asyncio.get_running_loop().create_future()

    @property
    def stopped(self) -> FinishReason | None:
        """The reason for which it was to be stopped, the first one if there are several."""
        return self._stopped

    @property
    def heard(self) -> str | None:
        """Of an answer that was stopped while it was spoken: what had been said by then."""
        if self._response is None or self._stopped not in {"interrupted", "cancelled"}:
            return None
        return self._response.heard

    def attach(self, response: Response) -> None:
        """The model is at work now."""
        self._response = response
        if self._stopped is not None:
            response.interrupt()

    def stop(self, reason: FinishReason) -> None:
        """Ends it with this finish reason, unless it ends by itself in this moment."""
        if self._stopped is None:
            self._stopped = reason
        self._on_stop()
        if self._response is not None:
            self._response.interrupt()

    def end(self, reason: FinishReason) -> None:
        """It has ended, and begins to be stored."""
        self._ended.set_result(reason)

    async def ended(self) -> FinishReason:
        """How it ended, once it has."""
        return await asyncio.shield(self._ended)
