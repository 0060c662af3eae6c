"""PartSettings: a group of settings; agent.config.settings reads them."""

from pydantic import BaseModel, Field

from agent.config.setting_types import StateWriters


class PartSettings(BaseModel):
    """Settings of parts, and of the shared state of conversations."""

    show_reasoning: bool = Field(
        False,
        alias="SHOW_REASONING",
        description="people see the model's reasoning, as parts of its answers",
    )
    max_parts: int = Field(
        100,
        alias="MAX_PARTS",
        ge=0,
        le=1000,
        description="parts that one answer may show beside its text; 0: none",
    )
    max_part_bytes: int = Field(
        65_536,
        alias="MAX_PART_BYTES",
        ge=1_024,
        le=1_048_576,
        description="bytes of JSON in one part of an answer",
    )
    max_parts_bytes: int = Field(
        262_144,
        alias="MAX_PARTS_BYTES",
        ge=1_024,
        le=1_048_576,
        description="bytes of JSON in all parts of one answer",
    )
    max_state_bytes: int = Field(
        65_536,
        alias="MAX_STATE_BYTES",
        ge=1_024,
        le=1_048_576,
        description="bytes of JSON in the shared state of a conversation",
    )
    state_writers: StateWriters = Field(
        "nobody",
        alias="STATE_WRITERS",
        description="who may change the shared state from a client: nobody, moderators, everyone",
    )
