"""RoomInstructions: the instructions of the app's agents in one room."""

from __future__ import annotations

from dataclasses import replace

from agent.app.app import App
from agent.app.persona import Persona
from agent.chat.conversations import Conversations
from agent.config.settings import Settings
from agent.room.room_profile import RoomProfile
from toolkit.errors import Conflict, NotFound


class RoomInstructions:
    """The agents as metadata changes them, with the instructions that the backend gives them during
    the stay."""

    def __init__(
        self, app: App, profile: RoomProfile, settings: Settings, conversations: Conversations
    ) -> None:
        self._app = app
        self._profile = profile
        self._settings = settings
        self._conversations = conversations
        self._given: dict[str, str] = {}

    def persona(self, name: str) -> Persona:
        """An agent as it is in this room now."""
        persona = self._profile.persona(name, self._app, self._settings)
        return replace(persona, instructions=self._given.get(name, persona.instructions))

    def set(self, instructions: str | None, agent: str | None) -> str:
        """Gives an agent (None: the one that answers in the room) other instructions, or, with
        None, its own again; returns its name.

        Raises:
            NotFound: the app has no such agent.
            Conflict: it is a livekit Agent, which has instructions of its own.
        """
        name = self._conversations.of_room.persona.name if agent is None else agent
        if name not in self._app.personas:
            names = ", ".join(self._app.personas)
            raise NotFound(f"There is no agent {name}. The agents are: {names}")
        maker = self._app.makers.get(name)
        if maker is not None and not maker.of_persona:
            raise Conflict(f"{name} is a livekit Agent: its code sets its instructions")
        if instructions is None:
            self._given.pop(name, None)
        else:
            self._given[name] = instructions
        self._conversations.renew_agent(name)
        return name
