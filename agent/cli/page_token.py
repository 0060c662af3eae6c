"""The page's access to a room: a token, and the agent's identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.cli.target import Target

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


class PageTokenRequest(BaseModel):
    """The requested identity, from the query: only this machine's own pages can ask."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    room: _Name
    identity: _Name
    name: Annotated[str, Field(max_length=256)] = ""
    role: Literal["", "moderator"] = ""


def page_token(target: Target, query: Mapping[str, str]) -> dict[str, str]:
    """The answer to the page: `server_url` and `participant_token`, as LiveKit's token endpoints
    have them, and the agent's `agent_identity` and `reply_topic`.

    Raises:
        ValueError: the query is not a PageTokenRequest, or asks for the agent's identity.
    """
    from agent.access.join_token import Joining, join_token  # noqa: PLC0415 - see agent/cli/__init__.py

    try:
        asked = PageTokenRequest.model_validate(dict(query))
    except ValidationError as error:
        problems = (f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise ValueError("; ".join(problems)) from None
    if asked.identity == target.agent_identity:
        raise ValueError("identity: reserved for the agent")
    joining = Joining(
        asked.room,
        asked.identity,
        asked.name,
        attributes={"role": asked.role} if asked.role else {},
        agent_name=target.agent_name,
    )
    return {
        "server_url": target.url,
        "participant_token": join_token(target.api_key, target.api_secret, joining),
        "agent_identity": target.agent_identity,
        "reply_topic": target.reply_topic,
    }
