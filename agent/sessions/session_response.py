"""SessionResponse: one answer that an AgentSession makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from livekit.agents import AgentSession, APIConnectionError, llm
from livekit.agents.voice import SpeechHandle


class OnEnd(Protocol):
    """Called when an answer has ended."""

    def __call__(self, *, interrupted: bool) -> None: ...


class SessionResponse:
    """Everything that a session says and does until it waits for the next message; see
    agent.chat.responder.Response."""

    def __init__(  # noqa: PLR0913 - the parts of an answer
        self,
        session: AgentSession[Any],
        work: asyncio.Task[None],
        *,
        speeches: Sequence[SpeechHandle],
        said: Callable[[], Sequence[llm.ChatItem]],
        finish_reason: Callable[[], str | None],
        trouble: Callable[[], llm.RealtimeModelError | None],
        heard: Callable[[], str | None],
        on_end: OnEnd,
    ) -> None:
        """
        Args:
            work: ends when the session is at rest.
            speeches: those of this answer, in order; there may be more with time.
            said: what is new in the session.
            finish_reason: the model's own for what it was asked last.
            trouble: the latest failure of a realtime model's service.
            heard: how much has been spoken.
            on_end: called once it has ended, however it did.
        """
        self._session = session
        self._work = work
        self._speeches = speeches
        self._find_said = said
        self._find_finish_reason = finish_reason
        self._find_trouble = trouble
        self._find_heard = heard
        self._on_end = on_end
        self._said: Sequence[llm.ChatItem] | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._changed = asyncio.Event()

    @property
    def said(self) -> Sequence[llm.ChatItem]:
        return self._find_said() if self._said is None else self._said

    @property
    def heard(self) -> str | None:
        return self._find_heard()

    @property
    def finish_reason(self) -> str | None:
        return self._find_finish_reason()

    @property
    def interrupted(self) -> bool:
        """Whether somebody has stopped it, or interrupted its speech."""
        return self._stopped is not None or bool(self._speeches and self._speeches[-1].interrupted)

    @property
    def may_be_silent(self) -> bool:
        """Agents may answer nothing: by StopResponse, or by a tool without a result."""
        return True

    def interrupt(self, *, force: bool) -> bool:
        if self._said is not None or self._stopped is not None:
            return True
        under_way = [speech for speech in self._speeches if not speech.done()]
        if under_way and not force and not under_way[-1].allow_interruptions:
            return False
        try:
            self._stopped = self._session.interrupt(force=True)
        except RuntimeError:
            return True  # The session has ended by itself, and the answer with it.
        self._work.cancel()
        self._changed.set()
        return True

    async def done(self) -> BaseException | None:
        stop = asyncio.create_task(self._changed.wait(), name="stop of an answer")
        try:
            await asyncio.wait({self._work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if self._stopped is not None:
                await self._stopped
        except asyncio.CancelledError:
            self.interrupt(force=True)
            raise
        finally:
            stop.cancel()
            self._said = self._find_said()
            self._on_end(interrupted=self.interrupted)
        if (trouble := self._trouble()) is not None:
            return trouble
        if self.interrupted or self._work.cancelled():
            return None
        return self._work.exception() or self._error()

    def _trouble(self) -> Exception | None:
        """The error of a service that ended the answer, which looks complete or interrupted to the
        session. Not every error ends an answer; a message that comes too late does not."""
        trouble = self._find_trouble()
        if trouble is None or self._stopped is not None:
            return None
        is_cut = isinstance(trouble.error, APIConnectionError) or not trouble.recoverable
        return trouble.error if is_cut or not (self.interrupted or self._has_words) else None

    @property
    def _has_words(self) -> bool:
        messages = (item for item in self.said if isinstance(item, llm.ChatMessage))
        return any(item.role == "assistant" and item.text_content for item in messages)

    def _error(self) -> BaseException | None:
        """The error of the last speech: a later successful speech makes up for a failed one."""
        ended = [speech for speech in self._speeches if speech.done()]
        return ended[-1].exception() if ended else None
