"""The page's access to a room: a token, and the agent's identity."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.cli.participant_options import with_dispatch, with_person

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.cli.target import Target

VALID_FOR: Final = datetime.timedelta(hours=6)

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
    from livekit import api  # noqa: PLC0415 - see agent/cli/__init__.py

    try:
        asked = PageTokenRequest.model_validate(dict(query))
    except ValidationError as error:
        problems = (f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise ValueError("; ".join(problems)) from None
    if asked.identity == target.agent_identity:
        raise ValueError("identity: it is the agent's")
    attributes = {"role": asked.role} if asked.role else {}
    token = api.AccessToken(target.api_key, target.api_secret)
    made = with_person(token, asked.identity, asked.name, attributes)
    made = made.with_ttl(VALID_FOR).with_grants(api.VideoGrants(room_join=True, room=asked.room))
    return {
        "server_url": target.url,
        "participant_token": with_dispatch(made, target.agent_name).to_jwt(),
        "agent_identity": target.agent_identity,
        "reply_topic": target.reply_topic,
    }
