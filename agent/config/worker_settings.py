"""WorkerSettings: a group of settings; agent.config.settings reads them."""

from pydantic import BaseModel, Field

from agent.config.setting_types import Secret, ServerUrl, Word

DEFAULT_INSTRUCTIONS = (
    "You are a helpful assistant in a LiveKit room. Answer in the language you are asked in, "
    "briefly and honestly. Use your tools when they help; if a tool fails, say so. When several "
    "people write, their messages start with who wrote them, and the further lines are indented: "
    "answer the one who asked."
)


class WorkerSettings(BaseModel):
    """The LiveKit server, the agent's name, and the size of the worker."""

    livekit_url: ServerUrl | None = Field(
        None, alias="LIVEKIT_URL", description="the LiveKit server to work for (ws:// or wss://)"
    )
    livekit_api_key: Word | None = Field(None, alias="LIVEKIT_API_KEY", description="its API key")
    livekit_api_secret: Secret | None = Field(
        None, alias="LIVEKIT_API_SECRET", description="its API secret"
    )
    app: str = Field(
        "",
        alias="APP",
        max_length=1024,
        description="your own app: module:attribute or a file, such as my_app:app; "
        "empty: the default app",
    )
    agent_name: str = Field(
        "",
        alias="AGENT_NAME",
        max_length=128,
        description="dispatch name; empty: join every new room, a name: join when dispatched",
    )
    agent_identity: str = Field(
        "agent",
        alias="AGENT_IDENTITY",
        min_length=1,
        max_length=128,
        description="participant identity that clients call and write to",
    )
    agent_display_name: str = Field(
        "Agent", alias="AGENT_DISPLAY_NAME", max_length=128, description="the name people see"
    )
    agent_instructions: str = Field(
        DEFAULT_INSTRUCTIONS,
        alias="AGENT_INSTRUCTIONS",
        max_length=65_536,
        description="system prompt; a room may have its own in its metadata",
    )
    agent_max_rooms: int = Field(
        25,
        alias="AGENT_MAX_ROOMS",
        ge=1,
        le=1000,
        description="rooms that a process holds at once, then refuses",
    )
    takeover: bool = Field(
        True,
        alias="TAKEOVER",
        description="rooms with people whose agent died, left or never came get one",
    )
    processes: int = Field(
        0,
        alias="PROCESSES",
        ge=0,
        le=256,
        description="worker processes that `start` runs; 0: one a core",
    )
    memory_limit: int = Field(
        2048,
        alias="MEMORY_LIMIT",
        ge=0,
        description="MB above which one of several processes is drained and replaced; 0: no limit",
    )
