"""The setting MCP_SERVERS: the configured servers, and the permissions of their tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import from_json

from agent.config.claim_template import ClaimTemplate


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("a URL that starts with http:// or https://")
    if "@" in parts.netloc or parts.query:
        raise ValueError("a URL without password and query: secrets go into headers")
    return value


class _ServerSettings(BaseModel):
    """The fields that every server may have.

    Attributes:
        tools: the server's names of the tools to use; default: all.
        rpc: the tools that clients may call by RPC: all (true), none (false), or a list.
        confidential: the tools whose results go to the RPC caller alone.
        approval: the tools that need approval when the model calls them.
        approvers: roles that approve them; default: the participant whom the model answers.
        roles: participants with one of these roles may call the tools, directly or through the
            model; default: everybody.
        timeout: seconds that a call may take.
        max_calls: calls of one tool that run at a time in a worker process.
        four_eyes: the participant whom the model answers approves nothing; needs `approvers`.
        elicitation: tools may ask their caller questions.
        sampling: tools may ask the model something, if their caller agrees.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tools: frozenset[str] | None = None
    rpc: bool | frozenset[str] = False
    confidential: bool | frozenset[str] = False
    approval: bool | frozenset[str] = False
    approvers: Annotated[frozenset[str], Field(min_length=1)] | None = None
    roles: Annotated[frozenset[str], Field(min_length=1)] | None = None
    timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    max_calls: Annotated[int, Field(ge=1, le=1_000, alias="maxCalls")] = 16
    four_eyes: Annotated[bool, Field(alias="fourEyes")] = False
    elicitation: bool = False
    sampling: bool = False

    @model_validator(mode="after")
    def _has_approvers(self) -> Self:
        if self.four_eyes and self.approvers is None:
            raise ValueError("approvers, where fourEyes is true")
        return self

    def allows_rpc(self, tool: str) -> bool:
        return self.rpc if isinstance(self.rpc, bool) else tool in self.rpc

    def is_confidential(self, tool: str) -> bool:
        named = self.confidential
        return named if isinstance(named, bool) else tool in named

    def needs_approval(self, tool: str) -> bool:
        return self.approval if isinstance(self.approval, bool) else tool in self.approval


def _check_template(value: str) -> str:
    try:
        template = ClaimTemplate(value)
    except ValueError:
        template = None
    if template is None or template.has_wildcard:
        raise ValueError("text with {identity}, or an attribute in its place")
    return value


class ClientCredentials(BaseModel):
    """How to get tokens by OAuth's client credentials.

    Attributes:
        token_url: the token endpoint of the authorization server.
        scope, audience: what is asked for; empty: not said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_url: Annotated[str, AfterValidator(_check_url), Field(alias="tokenUrl")]
    client_id: Annotated[str, Field(alias="clientId", min_length=1)]
    client_secret: Annotated[SecretStr, Field(alias="clientSecret")]
    scope: str = ""
    audience: str = ""


class StdioServer(_ServerSettings):
    """A program that is started, and spoken to over its standard input and output.

    It gets the variables in `env` and a few harmless ones (PATH, HOME, …), none of the worker's.
    """

    type: Literal["stdio"] = "stdio"
    command: Annotated[str, Field(min_length=1)]
    args: Annotated[tuple[str, ...], Field(repr=False)] = ()
    env: Mapping[str, SecretStr] = Field(default_factory=dict[str, SecretStr])
    cwd: str | None = None


def _transport(value: object) -> object:
    """The transport's name; other MCP clients have their own ones for streamable HTTP."""
    return "http" if value in {"streamable-http", "streamable_http", "streamableHttp"} else value


class HttpServer(_ServerSettings):
    """A server behind a URL, by streamable HTTP, or by the older server-sent events.

    Attributes:
        oauth: where its tokens come from, in place of an `Authorization` in `headers`.
        participant_headers: headers of calls, with what the caller's token says.
    """

    type: Annotated[Literal["http", "sse"], BeforeValidator(_transport)] = "http"
    url: Annotated[str, AfterValidator(_check_url)]
    headers: Mapping[str, SecretStr] = Field(default_factory=dict[str, SecretStr])
    oauth: ClientCredentials | None = None
    participant_headers: Annotated[
        Mapping[str, Annotated[str, AfterValidator(_check_template)]],
        Field(alias="participantHeaders"),
    ] = Field(default_factory=dict[str, str])


def _kind(value: object) -> str:
    is_http = isinstance(value, HttpServer) or (isinstance(value, dict) and "url" in value)
    return "http" if is_http else "stdio"


def _parse(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return cast("object", from_json(value))
    except ValueError as error:
        # Not the error's own words: they may quote secrets.
        raise ValueError('JSON: {"name": {"command": …} or {"url": …}}') from error


ServerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]
McpServer = Annotated[
    Annotated[StdioServer, Tag("stdio")] | Annotated[HttpServer, Tag("http")],
    Discriminator(_kind),
]
McpServerSettings = Annotated[dict[ServerName, McpServer], BeforeValidator(_parse)]
"""`{name: {"command", "args"?, "env"?, "cwd"?} | {"url", "headers"?, "type"?: "sse"}}`, each with
the keys of every server, such as `tools`; the form that MCP
clients share, without its outer key."""
