"""AccessSettings: who gets a token from `python -m agent tokens`, and for which rooms."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from agent.config.claim_template import ClaimTemplate
from agent.config.setting_types import HttpUrl, Rate, ServerUrl, split_names

Algorithm = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]
"""Signatures of private keys. A shared secret (HS256) would let each of its readers sign."""

_NEEDED: Final = {
    "ACCESS_JWKS_URL": "the URL of the identity provider's keys",
    "ACCESS_ISSUER": "the `iss` of its tokens",
    "ACCESS_AUDIENCE": "the `aud` that its tokens have for this agent",
    "ACCESS_ROOMS": "the rooms that somebody may join, such as user:{sub}",
}


_OF_IDENTITIES: Final = (
    "access_jwks_url",
    "access_issuer",
    "access_audience",
    "access_algorithms",
    "access_identity",
    "access_name",
    "access_roles",
    "access_rooms",
)
"""Settings that only make sense if identities are checked."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_keys_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("a URL that starts with https://")
    return value


def _check_template(value: str) -> str:
    if ClaimTemplate(value).has_wildcard:
        raise ValueError("no * here")
    return value


def _check_rooms(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        ClaimTemplate(value)
    return values


def _check_origins(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or value != f"{parts.scheme}://{parts.netloc}":
            raise ValueError("origins such as https://app.example.com")
    return values


Template = Annotated[str, Field(max_length=256), AfterValidator(_check_template)]


class AccessSettings(BaseModel):
    """The token endpoint."""

    access_host: str = Field(
        "127.0.0.1",
        alias="ACCESS_HOST",
        min_length=1,
        description="address that `tokens` listens on; another one than loopback needs an "
        "identity provider",
    )
    access_port: int = Field(
        8070, alias="ACCESS_PORT", ge=0, le=65_535, description="its port; 0: any free one"
    )
    access_server_url: ServerUrl | None = Field(
        None,
        alias="ACCESS_SERVER_URL",
        description="the LiveKit server as clients reach it; empty: LIVEKIT_URL",
    )
    access_jwks_url: Annotated[HttpUrl, AfterValidator(_check_keys_url)] | None = Field(
        None,
        alias="ACCESS_JWKS_URL",
        description="the identity provider's public keys (JWKS); empty: no identity is checked, "
        "on loopback alone",
    )
    access_issuer: str | None = Field(
        None, alias="ACCESS_ISSUER", description="`iss` of its tokens"
    )
    access_audience: Annotated[tuple[str, ...], BeforeValidator(split_names)] = Field(
        (), alias="ACCESS_AUDIENCE", description="`aud` of its tokens, one of these"
    )
    access_algorithms: Annotated[
        tuple[Algorithm, ...], BeforeValidator(split_names), Field(min_length=1)
    ] = Field(
        ("RS256", "ES256", "EdDSA"),
        alias="ACCESS_ALGORITHMS",
        description="signatures that are accepted",
    )
    access_identity: Annotated[Template, Field(min_length=1)] = Field(
        "{sub}", alias="ACCESS_IDENTITY", description="the participant's identity, from claims"
    )
    access_name: Template = Field(
        "{name}", alias="ACCESS_NAME", description="the name that people see, from claims"
    )
    access_roles: Template = Field(
        "", alias="ACCESS_ROLES", description="the attribute `role`, from claims"
    )
    access_rooms: Annotated[
        tuple[str, ...], BeforeValidator(split_names), AfterValidator(_check_rooms)
    ] = Field(
        (),
        alias="ACCESS_ROOMS",
        max_length=20,
        description="rooms that somebody may join: claims in braces, and one * for any text",
    )
    access_update_own_metadata: bool = Field(
        False,
        alias="ACCESS_UPDATE_OWN_METADATA",
        description="people may change their name and attributes; their role does not count then",
    )
    access_ttl: int = Field(
        600,
        alias="ACCESS_TTL",
        ge=90,
        le=86_400,
        description="seconds in which a token joins a room",
    )
    access_rate: Rate = Field(
        "30/minute", alias="ACCESS_RATE", description="tokens for one person; 0: no limit"
    )
    access_origins: Annotated[
        tuple[str, ...], BeforeValidator(split_names), AfterValidator(_check_origins)
    ] = Field(
        (),
        alias="ACCESS_ORIGINS",
        max_length=100,
        description="origins of web pages that may ask (CORS)",
    )

    @property
    def checks_identity(self) -> bool:
        """Whether a setting is made that only matters if identities are checked."""
        fields = AccessSettings.model_fields
        return any(getattr(self, name) != fields[name].default for name in _OF_IDENTITIES)

    def access_problems(self) -> list[str]:
        """The settings that the token endpoint still needs, one sentence each."""
        if not self.checks_identity:
            if is_loopback(self.access_host):
                return []
            return [
                f"ACCESS_HOST={self.access_host}: tokens for everybody are given on loopback "
                "alone; set ACCESS_JWKS_URL, ACCESS_ISSUER, ACCESS_AUDIENCE and ACCESS_ROOMS"
            ]
        given = {
            "ACCESS_JWKS_URL": self.access_jwks_url,
            "ACCESS_ISSUER": self.access_issuer,
            "ACCESS_AUDIENCE": self.access_audience,
            "ACCESS_ROOMS": self.access_rooms,
        }
        return [
            f"{name} is not set: expected {meaning}"
            for name, meaning in _NEEDED.items()
            if not given[name]
        ]
