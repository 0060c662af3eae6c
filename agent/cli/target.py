"""Target: the room server of a command, and the agent in its rooms."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.command import WRONG_SETTINGS, CommandError
from agent.cli.dev_record import DevRecordFile
from agent.config.environment import slips
from agent.config.settings import Settings
from agent.config.settings_error import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

DOTENV = Path(".env")
ANSWER_TOPIC = "llm-response"
"""The topic that answers are read on, if the agent writes to it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A room server with its keys, and the agent that works for it."""

    url: str
    api_key: str
    api_secret: str = field(repr=False)
    agent_name: str
    agent_identity: str
    reply_topic: str
    from_dev: bool = False

    @property
    def http_url(self) -> str:
        """The address of its API."""
        return "http" + self.url.removeprefix("ws")


def _as_websocket(url: str) -> str:
    return "ws" + url.removeprefix("http") if url.startswith("http") else url


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings; wrong ones end the command with each named."""
    try:
        return Settings.from_environment(environ, DOTENV)
    except SettingsError as error:
        raise CommandError("\n".join(error.problems), WRONG_SETTINGS) from None


def name_slips(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable whose name is nearly that of a setting.

    Raises:
        CommandError: the `.env` file cannot be read.
    """
    try:
        return slips(environ, DOTENV)
    except SettingsError as error:
        raise CommandError("\n".join(error.problems), WRONG_SETTINGS) from None


def with_app(environ: Mapping[str, str], app: str | None) -> dict[str, str]:
    """The environment with the app that was asked for, if one was."""
    return {**environ, "APP": app} if app else dict(environ)


def reply_topic(settings: Settings) -> str:
    """The one of the agent's reply topics that a command reads."""
    topics = settings.reply_topics
    return ANSWER_TOPIC if ANSWER_TOPIC in topics else topics[0]


def target_of(settings: Settings) -> Target | None:
    """The target in the settings, or None if they name no server."""
    if not (settings.livekit_url and settings.livekit_api_key and settings.livekit_api_secret):
        return None
    return Target(
        url=_as_websocket(settings.livekit_url),
        api_key=settings.livekit_api_key,
        api_secret=settings.livekit_api_secret.get_secret_value(),
        agent_name=settings.agent_name,
        agent_identity=settings.agent_identity,
        reply_topic=reply_topic(settings),
    )


def find_target(environ: Mapping[str, str]) -> Target:
    """LIVEKIT_URL of the process environment, else the running `dev`, else that of `.env`.

    Raises:
        CommandError: there is none of them.
    """
    dev = None if environ.get("LIVEKIT_URL") else DevRecordFile(environ).read()
    if dev is not None:
        return Target(
            url=dev.url,
            api_key=dev.api_key,
            api_secret=dev.api_secret,
            agent_name=dev.agent_name,
            agent_identity=dev.agent_identity,
            reply_topic=dev.reply_topic,
            from_dev=True,
        )
    settings = read_settings(environ)
    target = target_of(settings)
    if target is None:
        problems = [problem for problem in settings.missing() if problem.startswith("LIVEKIT_")]
        hint = "Run `python -m agent dev` in another terminal, or set these."
        raise CommandError("\n".join([*problems, hint]), WRONG_SETTINGS)
    return target
