"""Types of settings, with the expectations that error texts name."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from agent.config.sdk_patches import check_patches

_COMMENT = re.compile(r"\s#")
_NAMES_IN_A_LIST = re.compile(r"[,\s]+")
SHORTEST_HEARTBEAT_TIMEOUT = 2.0
"""Seconds: a loop beats once a second."""
_RATE = re.compile(r"[0-9]{1,15}/(?:[0-9]{1,6} )?(?:second|minute|hour|day)s?")
_DATABASE_SCHEME = re.compile(r"(sqlite|postgres|postgresql)(\+\w+)?:", re.IGNORECASE)


def _url_of(*schemes: str) -> AfterValidator:
    expected = " or ".join(f"{scheme}://" for scheme in schemes)

    def check(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.netloc:
            raise ValueError(f"a URL that starts with {expected}")
        if re.search(r"\s", value):
            raise ValueError("a URL without blanks, and no comment after it")
        return value.rstrip("/")

    return AfterValidator(check)


def _check_comment(value: str) -> str:
    if _COMMENT.search(value):
        raise ValueError("a value without a comment after it: `docker run --env-file` keeps that")
    return value


def _check_secret(value: SecretStr) -> SecretStr:
    _check_comment(value.get_secret_value())
    return value


def split_names(value: object) -> object:
    """Names of a list, which commas or spaces separate."""
    if isinstance(value, str):
        return tuple(name for name in _NAMES_IN_A_LIST.split(value) if name)
    return value


def _check_database_url(value: str) -> str:
    if not _DATABASE_SCHEME.match(value):
        raise ValueError("a URL that starts with sqlite:/// or postgresql://")
    return value


def _check_heartbeat_timeout(value: float) -> float:
    if 0 < value < SHORTEST_HEARTBEAT_TIMEOUT:
        raise ValueError(f"0, or {SHORTEST_HEARTBEAT_TIMEOUT:g} and more")
    return value


def _check_rate(value: str) -> str:
    if value != "0" and not _RATE.fullmatch(value):
        raise ValueError("0, or a number a time, such as 600/minute or 600/5 minutes")
    return value


Word = Annotated[str, AfterValidator(_check_comment)]
"""A key, or a name in which `#` does not follow a blank."""

Secret = Annotated[SecretStr, AfterValidator(_check_secret)]
ServerUrl = Annotated[str, _url_of("ws", "wss", "http", "https")]
HttpUrl = Annotated[str, _url_of("http", "https")]
DatabaseUrl = Annotated[str, AfterValidator(_check_database_url)]
SdkPatches = Annotated[str, AfterValidator(check_patches)]
HeartbeatTimeout = Annotated[float, Field(ge=0, le=3600), AfterValidator(_check_heartbeat_timeout)]
Rate = Annotated[str, AfterValidator(_check_rate)]
"""A number for each second, minute, hour or day, or for several of them; `0`: no limit."""
Names = Annotated[tuple[str, ...], BeforeValidator(split_names), Field(min_length=1)]
StateWriters = Literal["nobody", "moderators", "everyone"]
ReplyPolicy = Literal["always", "mention", "auto"]
ConversationPolicy = Literal["room-session", "room-name", "metadata"]
RpcAnswers = Literal["response", "private"]
RemoteSession = Literal["moderators", "off"]
WhiteboardClear = Literal["moderators", "everybody"]
VoicePolicy = Literal["auto", "on", "off"]
VoiceText = Literal["immediate", "synced"]
