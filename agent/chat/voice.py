"""The interface of a voice for conversations; agent.voice implements it, imported on demand."""

from __future__ import annotations

from typing import Protocol

from agent.chat.responder import Responder
from agent.models.assistant import Assistant
from agent.replies.reply_sink import ReplySink


class Voice(Protocol):
    """Hearing and speaking of one room."""

    @property
    def track_sid(self) -> str | None:
        """The agent's audio track."""
        ...

    @property
    def is_listening(self) -> bool:
        """Whether somebody is being listened to, or waits to be."""
        ...

    async def open(self) -> None:
        """Begins to listen. Raises rtc.PublishTrackError."""
        ...

    def listen_to(self, identity: str | None) -> None:
        """Listens to one person only; None: to anybody who speaks."""
        ...

    async def until_free(self) -> None:
        """Returns when nobody is being listened to."""
        ...

    async def aclose(self) -> None:
        """Ends it; its last responder has been closed."""
        ...

    async def open_responder(self, assistant: Assistant, text: ReplySink) -> Responder:
        """The responder that hears and answers aloud for a while; at most one at a time."""
        ...
