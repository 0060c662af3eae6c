"""AgentParticipant: finds the agent among a room's participants, and waits until it is ready."""

from __future__ import annotations

import asyncio
from typing import Final

from livekit import rtc

from agent.client.agent_error import AgentError

READY: Final = "agent.ready"
"""The agent's attribute with the names of its methods, once they can be called."""


class AgentParticipant:
    """Finds the agent among the participants.

    Attributes:
        wanted: the agent's identity; None: the first agent with methods.
    """

    def __init__(self, room: rtc.Room, wanted: str | None) -> None:
        self.wanted = wanted
        self._room = room
        self._changed = asyncio.Event()
        room.on("participant_connected", self._on_change)
        room.on("participant_attributes_changed", self._on_change)
        room.on("participant_disconnected", self._on_change)

    @property
    def participant(self) -> rtc.RemoteParticipant | None:
        """The agent, ready or not; None: it is not in the room."""
        for participant in self._room.remote_participants.values():
            if self.wanted is not None:
                if participant.identity == self.wanted:
                    return participant
            elif participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT and (
                READY in participant.attributes
            ):
                return participant
        return None

    @property
    def identity(self) -> str:
        """The agent's identity. Raises AgentError (404) if it is not in the room."""
        participant = self.participant
        if participant is None:
            raise AgentError(404, "there is no agent in the room")
        return participant.identity

    @property
    def method_names(self) -> tuple[str, ...]:
        """The RPC methods that can be called."""
        participant = self.participant
        names = "" if participant is None else participant.attributes.get(READY, "")
        return tuple(name for name in names.split(",") if name)

    def is_agent(self, identity: str) -> bool:
        participant = self.participant
        return participant is not None and participant.identity == identity

    async def ready(self) -> None:
        """Returns when the agent is in the room and its methods can be called."""
        while not self.method_names:
            self._changed.clear()
            await self._changed.wait()

    def _on_change(self, *_: object) -> None:
        self._changed.set()
