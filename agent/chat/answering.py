"""Answering: the answer in progress of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from livekit.agents import llm
from livekit.agents.voice.speech_handle import SpeechHandle

from agent.chat.memory import Question
from agent.chat.reply_output import FinishReason
from agent.history.message import Attachment


class Answering:
    """One question that is being answered. It can be stopped from its first moment on."""

    def __init__(self, question: Question, *, on_stop: Callable[[], None]) -> None:
        """`on_stop` is called when it is stopped, and at its end."""
        self.question = question
        self.attachments: list[Attachment] = []
        self._on_stop = on_stop
        self._handle: SpeechHandle | None = None
        self._stopped: FinishReason | None = None
        self._ended: asyncio.Future[FinishReason] = asyncio.get_running_loop().create_future()

    @property
    def stopped(self) -> FinishReason | None:
        """The reason for which it was to be stopped, the first one if there are several."""
        return self._stopped

    @property
    def said(self) -> str:
        """What the session keeps of it: of an interrupted answer that was spoken what was heard."""
        items = self._handle.chat_items if self._handle else []
        texts = (item.text_content for item in items if isinstance(item, llm.ChatMessage))
        return "\n\n".join(text for text in texts if text)

    def attach(self, handle: SpeechHandle) -> None:
        """The model is at work now."""
        self._handle = handle
        if self._stopped is not None:
            handle.interrupt(force=True)

    def stop(self, reason: FinishReason) -> None:
        """Ends it with this finish reason, unless it ends by itself in this moment."""
        if self._stopped is None:
            self._stopped = reason
        self._on_stop()
        if self._handle is not None:
            self._handle.interrupt(force=True)

    def end(self, reason: FinishReason) -> None:
        """It has ended, and begins to be stored."""
        self._ended.set_result(reason)

    async def ended(self) -> FinishReason:
        """How it ended, once it has."""
        return await asyncio.shield(self._ended)
