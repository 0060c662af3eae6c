"""Settings: every environment variable that the worker knows, typed and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from agent.config.mcp_servers import HttpServer, McpServerSettings
from agent.config.setting_sources import given
from agent.config.setting_types import (
    DatabaseUrl,
    HeartbeatTimeout,
    HttpUrl,
    Names,
    ReplyPolicy,
    RpcAnswers,
    ServerUrl,
    VoicePolicy,
    VoiceText,
)
from agent.config.settings_error import SettingsError

DEFAULT_INSTRUCTIONS = (
    "You are a helpful assistant in a LiveKit room. Answer in the language you are asked in, "
    "briefly and honestly. Use your tools when they help; if a tool fails, say so. When several "
    "people write, their messages start with who wrote them, and the further lines are indented: "
    "answer the one who asked."
)


class Settings(BaseModel):
    """What the worker runs with. Each field's alias is its environment variable.

    An empty variable counts as not set. Values come from the process environment first, then
    from the `.env` file. Secrets never appear in a representation or an error.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    livekit_url: ServerUrl | None = Field(
        None, alias="LIVEKIT_URL", description="the LiveKit server to work for (ws:// or wss://)"
    )
    livekit_api_key: str | None = Field(None, alias="LIVEKIT_API_KEY", description="its API key")
    livekit_api_secret: SecretStr | None = Field(
        None, alias="LIVEKIT_API_SECRET", description="its API secret"
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

    openai_api_key: SecretStr | None = Field(
        None, alias="OPENAI_API_KEY", description="key of the model service"
    )
    openai_base_url: HttpUrl = Field(
        "https://api.openai.com/v1",
        alias="OPENAI_BASE_URL",
        description="any OpenAI-compatible service",
    )
    llm_model: str = Field(
        "gpt-4.1-mini", alias="LLM_MODEL", min_length=1, description="model that answers"
    )
    llm_temperature: float | None = Field(
        None, alias="LLM_TEMPERATURE", ge=0, le=2, description="0 to 2; empty: the model's own"
    )
    llm_max_completion_tokens: int | None = Field(
        None,
        alias="LLM_MAX_COMPLETION_TOKENS",
        ge=1,
        le=10_000_000,
        description="tokens that the model may write in one request; empty: the model's own limit",
    )
    llm_timeout: float = Field(
        30.0,
        alias="LLM_TIMEOUT",
        gt=0,
        le=600,
        description="seconds of silence from the model after which an answer has failed",
    )
    llm_retries: int = Field(
        1, alias="LLM_RETRIES", ge=0, le=5, description="retries before the first token"
    )

    llm_vision: bool = Field(
        True, alias="LLM_VISION", description="the model can see: it is given pictures"
    )

    chat_topics: Names = Field(
        ("lk.chat", "chat"), alias="CHAT_TOPICS", description="topics people write on"
    )
    reply_topics: Names = Field(
        ("llm-response", "lk.transcription"),
        alias="REPLY_TOPICS",
        description="text stream topics that every answer goes out on",
    )
    reply_policy: ReplyPolicy = Field(
        "always",
        alias="REPLY_POLICY",
        description=(
            "always, mention (only when named, in any script, or replied to), "
            "auto (mention in a group)"
        ),
    )
    interrupt_on_message: bool = Field(
        False,
        alias="INTERRUPT_ON_MESSAGE",
        description="a new message ends the answer in progress to the same person",
    )
    max_message_bytes: int = Field(
        65_536,
        alias="MAX_MESSAGE_BYTES",
        ge=1,
        le=1_048_576,
        description="longest chat message, in bytes of UTF-8",
    )
    max_pending_messages: int = Field(
        50,
        alias="MAX_PENDING_MESSAGES",
        ge=1,
        le=1000,
        description="messages one person may have waiting for an answer",
    )
    answer_timeout: float = Field(
        300.0,
        alias="ANSWER_TIMEOUT",
        ge=0,
        le=86_400,
        description="seconds that an answer may take, with tool calls, approvals and speech; "
        "0: no limit",
    )
    max_context_messages: int = Field(
        200,
        alias="MAX_CONTEXT_MESSAGES",
        ge=2,
        le=10_000,
        description="messages of a conversation that the model is given",
    )
    max_context_tokens: int = Field(
        32_000,
        alias="MAX_CONTEXT_TOKENS",
        ge=2_000,
        le=10_000_000,
        description="tokens of a conversation that the model is given, estimated",
    )
    stream_timeout: float = Field(
        30.0,
        alias="STREAM_TIMEOUT",
        gt=0,
        le=600,
        description="seconds of silence after which an incoming stream is closed",
    )
    max_rpc_calls: int = Field(
        16,
        alias="MAX_RPC_CALLS",
        ge=1,
        le=1000,
        description="RPC calls one participant may have under way",
    )
    rpc_answers: RpcAnswers = Field(
        "response",
        alias="RPC_ANSWERS",
        description="response: answers come in the RPC response; private: in packets wherever the "
        "SDK would send the response to the whole room",
    )

    approval_timeout: float = Field(
        60.0,
        alias="APPROVAL_TIMEOUT",
        gt=0,
        le=600,
        description="seconds that somebody has to approve a tool",
    )
    mcp_servers: McpServerSettings = Field(
        {},
        alias="MCP_SERVERS",
        repr=False,
        description="MCP servers whose tools the model has, as JSON; see docs/tools.md",
    )
    max_client_methods: int = Field(
        16,
        alias="MAX_CLIENT_METHODS",
        ge=0,
        le=64,
        description="methods that one client may offer to the model; 0: none are used",
    )
    client_method_timeout: float = Field(
        15.0,
        alias="CLIENT_METHOD_TIMEOUT",
        gt=0,
        le=300,
        description="seconds that a client has to answer a call of the model's",
    )

    attachments_dir: Path = Field(
        Path("data/attachments"),
        alias="ATTACHMENTS_DIR",
        description="files that people send are kept here",
    )
    max_file_bytes: int = Field(
        104_857_600,
        alias="MAX_FILE_BYTES",
        ge=0,
        le=1_073_741_824,
        description="largest file, in bytes",
    )
    max_files: int = Field(
        10,
        alias="MAX_FILES",
        ge=1,
        le=100,
        description="files one participant may be sending at once, and of one message",
    )
    file_types: Names = Field(
        ("*/*",),
        alias="FILE_TYPES",
        description="types of files that are taken, as image/* or application/pdf",
    )
    max_file_characters: int = Field(
        50_000,
        alias="MAX_FILE_CHARACTERS",
        ge=0,
        le=10_000_000,
        description="of the text of files that the model is given with one request",
    )
    max_stored_bytes: int = Field(
        10_737_418_240,
        alias="MAX_STORED_BYTES",
        ge=0,
        description="of all files in ATTACHMENTS_DIR together",
    )
    quarantine_days: float = Field(
        14.0,
        alias="QUARANTINE_DAYS",
        ge=0,
        le=3_650,
        description="days that a file which no message has any more is kept before it is deleted",
    )

    voice: VoicePolicy = Field(
        "auto",
        alias="VOICE",
        description="auto (while somebody has a microphone), on (in rooms with people), off",
    )
    voice_text: VoiceText = Field(
        "immediate",
        alias="VOICE_TEXT",
        description="the text of a spoken answer: immediate, or synced with the speech",
    )
    stt_model: str = Field(
        "gpt-4o-mini-transcribe",
        alias="STT_MODEL",
        min_length=1,
        description="model that recognises speech",
    )
    stt_language: str = Field(
        "",
        alias="STT_LANGUAGE",
        max_length=16,
        description="language spoken to the agent, such as en; empty: found out each time; "
        "a room may have its own in its metadata",
    )
    stt_base_url: HttpUrl | None = Field(
        None, alias="STT_BASE_URL", description="service for speech recognition, if another one"
    )
    stt_api_key: SecretStr | None = Field(
        None, alias="STT_API_KEY", description="key of the service at STT_BASE_URL"
    )
    tts_model: str = Field(
        "gpt-4o-mini-tts", alias="TTS_MODEL", min_length=1, description="model that speaks"
    )
    tts_voice: str = Field(
        "ash",
        alias="TTS_VOICE",
        min_length=1,
        description="its voice; a room may have its own in its metadata",
    )
    tts_base_url: HttpUrl | None = Field(
        None, alias="TTS_BASE_URL", description="service for speech synthesis, if another one"
    )
    tts_api_key: SecretStr | None = Field(
        None, alias="TTS_API_KEY", description="key of the service at TTS_BASE_URL"
    )

    database_url: DatabaseUrl = Field(
        "sqlite:///data/agent.db",
        alias="DATABASE_URL",
        repr=False,
        description="what was said is kept here: sqlite:///path or postgresql://user:password@host/name",
    )

    weather_geocoding_url: HttpUrl = Field(
        "https://geocoding-api.open-meteo.com/v1/search",
        alias="WEATHER_GEOCODING_URL",
        description="Open-Meteo geocoding endpoint of getWeather",
    )
    weather_forecast_url: HttpUrl = Field(
        "https://api.open-meteo.com/v1/forecast",
        alias="WEATHER_FORECAST_URL",
        description="Open-Meteo forecast endpoint of getWeather",
    )

    http_host: str = Field(
        "0.0.0.0",  # noqa: S104 - health checks come from outside the container
        alias="HTTP_HOST",
        min_length=1,
        description="address of the health pages; 127.0.0.1: this machine only",
    )
    http_port: int = Field(
        8081,
        alias="HTTP_PORT",
        ge=0,
        le=65_535,
        description="port of the health pages (`/healthz`, `/readyz`); 0: any free one",
    )
    drain_timeout: int = Field(
        1800,
        alias="DRAIN_TIMEOUT",
        ge=1,
        le=86_400,
        description="seconds that rooms may go on after SIGTERM",
    )
    heartbeat_timeout: HeartbeatTimeout = Field(
        10.0,
        alias="HEARTBEAT_TIMEOUT",
        description="seconds without a heartbeat after which one of several processes is killed "
        "and replaced; 0: never, else at least 2",
    )
    log_level: Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"] = Field(
        "INFO", alias="LOG_LEVEL", description="least severe level that is logged"
    )
    log_content: bool = Field(
        False, alias="LOG_CONTENT", description="also log what people and the model write"
    )

    @classmethod
    def names(cls) -> set[str]:
        """The environment variables."""
        return {field.alias or name for name, field in cls.model_fields.items()}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], dotenv: Path | None = None) -> Self:
        """Reads and checks everything at once.

        Raises:
            SettingsError: naming every wrong setting with what is expected.
        """
        try:
            return cls.model_validate(given(cls.names(), environ, dotenv))
        except ValidationError as error:
            raise SettingsError.of(error) from None

    @property
    def urls(self) -> tuple[str, ...]:
        """What the worker connects to."""
        servers = (each for each in self.mcp_servers.values() if isinstance(each, HttpServer))
        given = (
            *(self.livekit_url, self.openai_base_url, self.stt_base_url, self.tts_base_url),
            *(self.weather_geocoding_url, self.weather_forecast_url),
            *(server.url for server in servers),
        )
        return tuple(url for url in given if url)

    def missing(self, *, server: bool = True) -> list[str]:
        """What must still be set before the worker can run, one sentence each.

        `server=False` leaves the LiveKit settings out, for a start that is given them otherwise.
        """
        problems: list[str] = []
        if server:
            if self.livekit_url is None:
                problems.append("LIVEKIT_URL is not set: expected a URL that starts with ws://")
            if self.livekit_api_key is None:
                problems.append("LIVEKIT_API_KEY is not set: expected the server's API key")
            if self.livekit_api_secret is None:
                problems.append("LIVEKIT_API_SECRET is not set: expected the server's API secret")
        if self.openai_api_key is None and "openai_base_url" not in self.model_fields_set:
            problems.append(
                "OPENAI_API_KEY is not set: expected a key, or OPENAI_BASE_URL of a model "
                "service that needs none"
            )
        return problems
