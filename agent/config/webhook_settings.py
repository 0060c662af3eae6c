"""Settings of webhooks: the receivers of events."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from agent.config.setting_types import HttpUrl, split_names

EventType = Literal[
    "conversation.started",
    "conversation.ended",
    "message.received",
    "answer.finished",
    "tool.finished",
    "feedback.given",
]

EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)

SECRET_PREFIX = "whsec_"  # noqa: S105 - how one begins
SHORTEST_KEY = 24
"""Bytes, as Standard Webhooks has it."""


def key_of(secret: str) -> bytes:
    """The key of a secret, `whsec_` and base64; raises ValueError for any other."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"{SECRET_PREFIX} and base64 of at least {SHORTEST_KEY} bytes")
    return key


def _check_secret(value: SecretStr) -> SecretStr:
    key_of(value.get_secret_value())
    return value


class WebhookSettings(BaseModel):
    """Receivers of webhooks."""

    webhook_urls: Annotated[tuple[HttpUrl, ...], BeforeValidator(split_names)] = Field(
        (),
        alias="WEBHOOK_URLS",
        max_length=10,
        repr=False,
        description="URLs that receive events of rooms (docs/webhooks.md)",
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(_check_secret)] | None = Field(
        None,
        alias="WEBHOOK_SECRET",
        description="signs the events: `whsec_` and base64 of 24 bytes or more",
    )
    webhook_events: Annotated[tuple[EventType, ...], BeforeValidator(split_names)] = Field(
        EVENT_TYPES, alias="WEBHOOK_EVENTS", description="events that they receive"
    )
