"""RoomProfile: what dispatch metadata and room metadata may change for one room."""

from __future__ import annotations

import json
import logging
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.config.setting_types import ReplyPolicy
from agent.config.settings import Settings
from agent.unicode_text import well_formed_json
from toolkit.toolbox import Toolbox

logger = logging.getLogger(__name__)


class RoomProfile(BaseModel):
    """The JSON that metadata may carry: `{instructions?, language?, voice?, tools?, replyPolicy?}`.

    Attributes:
        language: language to answer in, as a name or a BCP 47 tag.
        voice: voice to speak with.
        tools: wire names of the tools that the room has; None means all.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    instructions: Annotated[str, Field(max_length=65_536)] | None = None
    language: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    voice: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    tools: tuple[str, ...] | None = None
    reply_policy: ReplyPolicy | None = Field(None, alias="replyPolicy")

    @classmethod
    def from_metadata(cls, *sources: tuple[str, str]) -> RoomProfile:
        """Reads metadata, the weightiest last; sources are pairs of a name for the log and text.

        Metadata that is not a JSON object is the app's own business. Unknown keys and bad values
        are named in the log and ignored.
        """
        merged: dict[str, Any] = {}
        for source, text in sources:
            for key, value in _json_object(text).items():
                if _is_valid(key, value, source):
                    merged[key] = value
        return cls.model_validate_json(json.dumps(merged))

    def full_instructions(self, settings: Settings) -> str:
        """The system prompt for the room."""
        instructions = self.instructions or settings.agent_instructions
        if self.language:
            instructions += f"\n\nAnswer in this language: {self.language}."
        return instructions

    def choose_tools(self, toolbox: Toolbox) -> Toolbox:
        """The tools that the room has."""
        if self.tools is None:
            return toolbox
        for name in set(self.tools).difference(toolbox.names):
            logger.warning("metadata names an unknown tool: %.64s", name)
        return toolbox.only(self.tools)


_KEYS = {field.alias or name for name, field in RoomProfile.model_fields.items()}


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
    try:
        RoomProfile.model_validate_json(json.dumps({key: value}))
    except ValidationError as error:
        logger.warning("%s has a bad value for %s: %s", source, key, error.errors()[0]["msg"])
        return False
    return True
