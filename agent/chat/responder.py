"""Responder: makes the answers of a conversation, in writing or aloud.

ToolLoop answers in writing. agent.voice has the spoken one, an AgentSession that hears and speaks;
it is imported on demand. Docs: docs/adr/0021-answers-in-writing.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from livekit.agents import llm

from agent.models.assistant import Assistant
from agent.models.tool_loop import ToolLoop
from agent.replies.reply_sink import ReplySink


class Response(Protocol):
    """One answer that is being made."""

    @property
    def said(self) -> Sequence[llm.ChatItem]:
        """The part that the model is to remember: its words and its calls."""
        ...

    @property
    def heard(self) -> str | None:
        """The text spoken so far; None: the answer is in writing."""
        ...

    @property
    def finish_reason(self) -> str | None:
        """The model's own, once it has ended."""
        ...

    @property
    def interrupted(self) -> bool: ...

    @property
    def may_be_silent(self) -> bool:
        """Whether it is whole without a word."""
        ...

    def interrupt(self, *, force: bool) -> bool:
        """Ends it, unless it is ending already. False: its agent does not allow that at present,
        which `force` overrides."""
        ...

    async def done(self) -> BaseException | None:
        """Returns at its end; what went wrong, if anything did."""
        ...


class Responder(Protocol):
    """Makes one answer after the other."""

    @property
    def needs_replacement(self) -> bool:
        """Whether the conversation is to go on with a fresh one."""
        ...

    async def respond(
        self, before: llm.ChatContext, message: llm.ChatMessage, *, own: bool = False
    ) -> Response:
        """Begins to answer a message; `own`: to say something by it, which nobody has written."""
        ...

    async def say(self, text: str) -> Response:
        """Begins to say a given text, in place of a model's answer."""
        ...

    async def aclose(self) -> None: ...


class TextResponder:
    """Answers in writing; it owns nothing that has to be closed."""

    needs_replacement = False

    def __init__(self, assistant: Assistant, text: ReplySink) -> None:
        self._assistant = assistant
        self._text = text

    async def respond(
        self, before: llm.ChatContext, message: llm.ChatMessage, *, own: bool = False
    ) -> Response:
        self._text.open()
        loop = ToolLoop(self._assistant, self._text, on_reasoning=self._text.on_reasoning)
        return _TextResponse(loop, [*before.items, message])

    async def say(self, text: str) -> Response:
        self._text.open()
        self._text.push(text)
        self._text.flush()
        return _SaidText(text)

    async def aclose(self) -> None:
        pass


class _SaidText:
    """A text that was said as a whole, and so has ended."""

    heard = None
    finish_reason = None
    interrupted = False
    may_be_silent = False

    def __init__(self, text: str) -> None:
        self.said = (llm.ChatMessage(role="assistant", content=[text]),)

    def interrupt(self, *, force: bool) -> bool:
        return True

    async def done(self) -> BaseException | None:
        return None


class _TextResponse:
    heard = None
    may_be_silent = False

    def __init__(self, loop: ToolLoop, items: list[llm.ChatItem]) -> None:
        self._loop = loop
        self._task = asyncio.create_task(loop.run(items), name="response")

    @property
    def said(self) -> Sequence[llm.ChatItem]:
        return self._loop.said

    @property
    def finish_reason(self) -> str | None:
        return self._loop.finish_reason

    @property
    def interrupted(self) -> bool:
        return self._task.cancelled()

    def interrupt(self, *, force: bool) -> bool:
        self._task.cancel()
        return True

    async def done(self) -> BaseException | None:
        try:
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        return None if self._task.cancelled() else self._task.exception()
