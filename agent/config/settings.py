"""Settings: every environment variable that the worker knows, typed and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
)

from agent.config.access_settings import AccessSettings
from agent.config.chat_settings import ChatSettings
from agent.config.file_settings import FileSettings
from agent.config.history_settings import HistorySettings
from agent.config.limit_settings import LimitSettings
from agent.config.mcp_servers import HttpServer
from agent.config.model_settings import ModelSettings
from agent.config.part_settings import PartSettings
from agent.config.setting_sources import given
from agent.config.setting_types import (
    HeartbeatTimeout,
    SdkPatches,
)
from agent.config.settings_error import SettingsError
from agent.config.tool_call_settings import ToolCallSettings
from agent.config.voice_settings import VoiceSettings
from agent.config.webhook_settings import WebhookSettings
from agent.config.worker_settings import WorkerSettings


class Settings(
    # pydantic puts the fields of the last class first.
    AccessSettings,
    HistorySettings,
    VoiceSettings,
    LimitSettings,
    FileSettings,
    PartSettings,
    WebhookSettings,
    ToolCallSettings,
    ChatSettings,
    ModelSettings,
    WorkerSettings,
):
    """The worker's settings. Each field's alias is its environment variable.

    An empty variable counts as not set. Values come from the process environment first, then
    from the `.env` file. Secrets never appear in a representation or an error.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

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

    sdk_patches: SdkPatches = Field(
        "on",
        alias="SDK_PATCHES",
        description="which private parts of LiveKit's SDKs are replaced: on, off, or names",
    )

    @classmethod
    def names(cls) -> set[str]:
        """The environment variables."""
        return {field.alias or name for name, field in cls.model_fields.items()}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], dotenv: Path | None = None) -> Self:
        """Reads and checks everything at once.

        Raises:
            SettingsError: lists every wrong setting with the expected value.
        """
        try:
            return cls.model_validate(given(cls.names(), environ, dotenv))
        except ValidationError as error:
            raise SettingsError.of(error) from None

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses that the worker connects to."""
        servers = (each for each in self.mcp_servers.values() if isinstance(each, HttpServer))
        given = (
            *(self.livekit_url, self.openai_base_url, self.stt_base_url, self.tts_base_url),
            *self.webhook_urls,
            *(server.url for server in servers),
        )
        return tuple(url for url in given if url)

    def missing(self, *, server: bool = True, model: bool = True) -> list[str]:
        """Missing settings that the worker needs, one sentence each.

        Args:
            server: include the LiveKit settings; a command may get them in another way.
            model: include the model service; an app may have models of its own.
        """
        problems: list[str] = []
        if server:
            if self.livekit_url is None:
                problems.append("LIVEKIT_URL is not set: expected a URL that starts with ws://")
            if self.livekit_api_key is None:
                problems.append("LIVEKIT_API_KEY is not set: expected the server's API key")
            if self.livekit_api_secret is None:
                problems.append("LIVEKIT_API_SECRET is not set: expected the server's API secret")
        if model and self.openai_api_key is None and "openai_base_url" not in self.model_fields_set:
            problems.append(
                "OPENAI_API_KEY is not set: expected a key, or OPENAI_BASE_URL of a model "
                "service that needs none"
            )
        if self.webhook_urls and self.webhook_secret is None:
            problems.append("WEBHOOK_SECRET is not set: expected a key that signs webhooks")
        return problems
