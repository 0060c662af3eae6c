"""RoomProfile: changes to one room by dispatch metadata and room metadata."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Annotated, Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.app.app import App
from agent.app.persona import Persona
from agent.config.setting_types import ReplyPolicy
from agent.config.settings import Settings
from agent.unicode_text import well_formed_json
from toolkit.toolbox import Toolbox

logger = logging.getLogger(__name__)

ROOM_METADATA: Final = "room metadata"
DISPATCH_METADATA: Final = "dispatch metadata"
"""The source that only the app's backend writes, as it is named to `from_metadata`."""


class RoomProfile(BaseModel):
    """The JSON that metadata may carry: `{agent?, instructions?, language?, voice?, model?, tools?,
    replyPolicy?, tenant?, conversation?}`.

    Attributes:
        agent: name of the agent of the app that answers first.
        model: name of one of the app's models, for that agent.
        language: language to answer in, as a name or a BCP 47 tag.
        voice: voice to speak with.
        tools: wire names of the tools that the room has; None means all.
        tenant: the customer of the room; rooms of one tenant share limits. Only dispatch metadata
            may set it: a room's own metadata may come from people.
        conversation: the app's id of the conversation that the room belongs to. Only dispatch
            metadata may set it: people in the room can read the conversation.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    agent: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    model: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    instructions: Annotated[str, Field(max_length=65_536)] | None = None
    language: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    voice: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    tools: tuple[str, ...] | None = None
    reply_policy: ReplyPolicy | None = Field(None, alias="replyPolicy")
    tenant: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    conversation: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @classmethod
    def from_metadata(cls, *sources: tuple[str, str]) -> RoomProfile:
        """Reads metadata, the one with the highest priority last; sources are pairs of a name for
        the log and text.

        Metadata that is not a JSON object is the app's own business. Unknown keys and bad values
        are named in the log and ignored.
        """
        merged: dict[str, Any] = {}
        for source, text in sources:
            for key, value in _json_object(text).items():
                if _is_valid(key, value, source):
                    merged[key] = value
        return cls.model_validate_json(json.dumps(merged))

    def first_agent(self, app: App) -> str:
        """The agent that answers first."""
        if self.agent is None or self.agent in app.personas:
            return app.default if self.agent is None else self.agent
        logger.warning("metadata names an unknown agent: %.64s", self.agent)
        return app.default

    def persona(self, name: str, app: App, settings: Settings) -> Persona:
        """An agent as it is in this room: metadata applies to the first one."""
        persona = app.personas[name]
        if not persona.instructions:
            persona = replace(persona, instructions=settings.agent_instructions)
        if name != self.first_agent(app):
            return persona
        if self.model is not None and self.model not in app.models:
            logger.warning("metadata names an unknown model: %.64s", self.model)
        return replace(
            persona,
            instructions=self.instructions or persona.instructions,
            language=self.language or persona.language,
            voice=self.voice or persona.voice,
            llm=self.model if self.model in app.models else persona.llm,
        )

    def names_tool(self, name: str) -> bool:
        """Whether metadata asks for this tool by its name."""
        return self.tools is not None and name in self.tools

    def choose_tools(self, toolbox: Toolbox) -> Toolbox:
        """The tools that the room has."""
        if self.tools is None:
            return toolbox
        for name in set(self.tools).difference(toolbox.names):
            logger.warning("metadata names an unknown tool: %.64s", name)
        return toolbox.only(self.tools)


_KEYS = {field.alias or name for name, field in RoomProfile.model_fields.items()}


_OF_DISPATCHES: Final = frozenset({"tenant", "conversation"})
"""Keys that room metadata may not have."""


def _json_object(text: str) -> dict[str, Any]:
    try:
        value: object = json.loads(well_formed_json(text)) if text else {}
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _is_valid(key: str, value: object, source: str) -> bool:
    if key not in _KEYS:
        logger.warning("%s has an unknown key: %.64s", source, key)
        return False
    if key in _OF_DISPATCHES and source != DISPATCH_METADATA:
        logger.warning("%s may not set %s; ignoring it", source, key)
        return False
    try:
        RoomProfile.model_validate_json(json.dumps({key: value}))
    except ValidationError as error:
        logger.warning("%s has a bad value for %s: %s", source, key, error.errors()[0]["msg"])
        return False
    return True
