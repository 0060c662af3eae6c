"""AgentSessions: the sessions of livekit Agents in one conversation, one at a time.

agent.sessions has them, and is imported where an agent of the app is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from livekit.agents import llm
from livekit.agents.utils import http_context

from agent.chat.responder import Responder, Response
from agent.chat.voice import Voice
from agent.tasks import to_the_end


class LeadingResponder(Responder, Protocol):
    """Runs a conversation for as long as its agent answers, or an agent that it hands over to."""

    @property
    def speaks(self) -> bool:
        """Whether it has begun to say something that nobody asked for."""
        ...

    def leads(self, agent: str) -> bool:
        """Whether it answers for this agent of the app."""
        ...

    async def enter(self, items: Sequence[llm.ChatItem], *, greets: bool) -> None:
        """Starts the session if it has not started; returns once its agent is idle, or says
        something.

        Args:
            items: the conversation so far.
            greets: people hear what the agent says when it enters.
        """
        ...

    async def set_voice(self, voice: Voice | None) -> None:
        """Hears and speaks from now on, or no longer does; not within an answer."""
        ...

    async def arrive(self, items: Sequence[llm.ChatItem]) -> Response:
        """Starts with the rest of an answer that another agent has handed over."""
        ...

    async def go_on(self) -> Response:
        """Takes what it has begun to say, as an answer of its own."""
        ...


class AgentSessions:
    """Opens a session where there is none for the agent, and closes it when another one answers.

    Args:
        open_session: makes one that has not begun, for an agent of the app.
    """

    def __init__(self, open_session: Callable[[str], LeadingResponder]) -> None:
        self._open_session = open_session
        self._current: LeadingResponder | None = None
        self._http = AsyncExitStack()
        self._has_http = False

    async def of(self, agent: str) -> LeadingResponder:
        """The session of an agent."""
        if not self._has_http:
            self._has_http = True
            # livekit-agents' plugins ask for it; a job has one in its own thread alone.
            await self._http.enter_async_context(http_context.open())
        current = self._current
        if current is None or not current.leads(agent) or current.needs_replacement:
            await self._end()
            current = self._current = self._open_session(agent)
        return current

    async def aclose(self) -> None:
        """Ends the session, if there is one. Only the task that opened it may call this."""
        try:
            await self._end()
        finally:
            self._has_http = False
            await self._http.aclose()

    async def _end(self) -> None:
        if self._current is not None:
            ended, self._current = self._current, None
            await to_the_end(ended.aclose())
