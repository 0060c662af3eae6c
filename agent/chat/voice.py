"""What a conversation asks of a voice; agent.voice has it, and is imported where one is needed.

A conversation's session is renewed from time to time, and when the voice comes or goes: what
belongs to one session is a SessionVoice, what lasts is the Voice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from livekit.agents import AgentSession

from agent.chat.reply_text import ReplyText
from agent.models.assistant import Assistant


class SessionVoice(Protocol):
    """Hearing and speaking of one AgentSession."""

    @property
    def options(self) -> Mapping[str, Any]:
        """For AgentSession."""
        ...

    def assistant(self, options: Mapping[str, Any]) -> Assistant:
        """An Assistant, with these options of Assistant, that hears and speaks."""
        ...

    def attach(self, session: AgentSession[None]) -> None:
        """Gives a session that is not started its ears, its voice and its text output."""
        ...

    def begin(self) -> None:
        """An answer begins."""
        ...

    def end(self) -> None:
        """All of an answer was said, or as much as could be; its text is complete, too."""
        ...

    async def aclose(self) -> None:
        """Releases what the session had; to be called when that is closed."""
        ...


class Voice(Protocol):
    """Hearing and speaking of one room."""

    @property
    def is_listening(self) -> bool:
        """Whether somebody is being listened to, which a fresh session would cut off."""
        ...

    @property
    def track_sid(self) -> str | None:
        """The agent's audio track."""
        ...

    async def open(self) -> None:
        """Begins to listen. Raises rtc.PublishTrackError."""
        ...

    def listen_to(self, identity: str | None) -> None:
        """Listens to one person only; None: to whoever speaks."""
        ...

    async def until_free(self) -> None:
        """Returns when nobody is being listened to."""
        ...

    async def aclose(self) -> None:
        """Ends it; no session uses it any more."""
        ...

    def open_session(self, reply: ReplyText) -> SessionVoice:
        """What one session needs."""
        ...
