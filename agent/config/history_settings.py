"""HistorySettings: a group of settings; agent.config.settings reads them."""

from pydantic import BaseModel, Field

from agent.config.setting_types import ConversationPolicy, DatabaseUrl


class HistorySettings(BaseModel):
    """Settings of the history: its database, and the lifetime of conversations."""

    database_url: DatabaseUrl = Field(
        "sqlite:///data/agent.db",
        alias="DATABASE_URL",
        repr=False,
        description="database of the history: sqlite:///path or postgresql://user:password@host/name",
    )
    conversations: ConversationPolicy = Field(
        "room-session",
        alias="CONVERSATIONS",
        description=(
            "lifetime of a conversation: room-session (one session of a room), room-name "
            "(all rooms of a name), metadata (the id in dispatch metadata, else the session)"
        ),
    )
    retention_days: float = Field(
        0.0,
        alias="RETENTION_DAYS",
        ge=0,
        le=36_500,
        description="days after which messages, files and whiteboards are erased; 0: never",
    )
