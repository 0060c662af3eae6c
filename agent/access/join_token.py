"""Tokens that join a room, for every command that makes one."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from livekit import api

from agent.sdk.access_tokens import signed


@dataclass(frozen=True, slots=True)
class Joining:
    """A participant's access to a room.

    Attributes:
        agent_name: dispatches the agent of this name into the room; empty: none.
        room_config: the room's configuration, in place of that dispatch.
        may_update_own_metadata: changing one's name and attributes. False leaves it to the
            server's default, which is no.
    """

    room: str
    identity: str
    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    agent_name: str = ""
    room_config: api.RoomConfiguration | None = None
    may_update_own_metadata: bool = False


def join_token(
    key: str, secret: str, joining: Joining, ttl: datetime.timedelta = datetime.timedelta(hours=6)
) -> str:
    """A JWT with the least that somebody in a room needs: to join it, publish and subscribe."""
    grants = api.VideoGrants(room_join=True, room=joining.room)
    if joining.may_update_own_metadata:
        grants.can_update_own_metadata = True
    token = api.AccessToken(key, secret).with_identity(joining.identity).with_name(joining.name)
    token = token.with_ttl(ttl).with_grants(grants)
    if joining.metadata:
        token = token.with_metadata(joining.metadata)
    if joining.attributes:
        token = token.with_attributes(dict(joining.attributes))
    if joining.room_config is not None:
        token = token.with_room_config(joining.room_config)
    elif joining.agent_name:
        dispatch = api.RoomAgentDispatch(agent_name=joining.agent_name)
        token = token.with_room_config(api.RoomConfiguration(agents=[dispatch]))
    return signed(token)
