"""Rules for joining rooms: by the claims of an identity, or open on a developer's machine."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

from livekit import api

from agent.access.join_token import Joining
from agent.access.room_templates import RoomTemplates
from agent.access.token_request import TokenRequest
from agent.config.access_settings import AccessSettings
from agent.config.claim_template import ClaimTemplate


class NotAllowedError(Exception):
    """The caller may not have what it asked for; the message is for the caller."""


def of_anybody(
    asked: TokenRequest, agent_name: str, agent_identity: str, *, may_update: bool
) -> Joining:
    """Grants a developer's request as it is; generates names that are missing.

    Raises:
        ValueError: the request makes no sense.
        NotAllowedError: it asks for the agent's identity.
    """
    identity = asked.participant_identity or f"user-{secrets.token_hex(4)}"
    _check_identity(identity, agent_identity)
    config = asked.room_configuration()
    if agent_name and not config.agents:
        config.agents.append(api.RoomAgentDispatch(agent_name=agent_name))
    return Joining(
        asked.room_name or f"room-{secrets.token_hex(4)}",
        identity,
        asked.participant_name or "",
        asked.participant_metadata or "",
        asked.participant_attributes or {},
        room_config=config if config.ByteSize() else None,
        may_update_own_metadata=may_update,
    )


class ClaimRules:
    """Grants what the caller's claims say: identity, name, roles, rooms.

    The client may choose only the room, among its own. Everything else in a request must match the
    claims: LiveKit's documentation asks for an error where a field is not configurable.
    """

    def __init__(self, settings: AccessSettings, agent_name: str, agent_identity: str) -> None:
        self._identity: Final = ClaimTemplate(settings.access_identity)
        self._name: Final = ClaimTemplate(settings.access_name)
        # Commas separate roles: a claim with one would add a role of its own choice.
        self._roles: Final = ClaimTemplate(settings.access_roles, forbidden=(",",))
        self._rooms: Final = RoomTemplates(settings.access_rooms)
        self._may_update = settings.access_update_own_metadata
        self._agent_name = agent_name
        self._agent_identity = agent_identity

    def identity(self, claims: Mapping[str, object]) -> str:
        """Raises NotAllowedError where the claims have none."""
        identity = self._identity.text_for(claims)
        if not identity or len(identity) > 128:
            raise NotAllowedError("your token lacks the claims that make an identity")
        _check_identity(identity, self._agent_identity)
        return identity

    def joining(self, claims: Mapping[str, object], asked: TokenRequest) -> Joining:
        """Returns what the token allows.

        Raises:
            ValueError: the request makes no sense.
            NotAllowedError: the request asks for more than the caller may have.
        """
        identity = self.identity(claims)
        name = self._name.text_for(claims)
        fixed = (
            ("participant_identity", asked.participant_identity, identity),
            ("participant_name", asked.participant_name, name),
            ("participant_metadata", asked.participant_metadata, None),
            ("participant_attributes", asked.participant_attributes, None),
        )
        for field, wanted, own in fixed:
            if wanted and wanted != own:
                raise NotAllowedError(f"{field}: it is not for the client to choose")
        self._check_config(asked.room_configuration())
        roles = ",".join(each.before for each in self._roles.fill(claims) if each.before)
        return Joining(
            self._room(claims, asked.room_name or ""),
            identity,
            name,
            attributes={"role": roles} if roles else {},
            agent_name=self._agent_name,
            may_update_own_metadata=self._may_update,
        )

    def _room(self, claims: Mapping[str, object], wanted: str) -> str:
        filled = list(self._rooms.fill(claims))
        if not wanted:
            own = next((each.before for each in filled if each.after is None), "")
            if not own:
                raise ValueError("room_name: expected the name of a room")
            return own
        if not wanted.isprintable() or not any(each.matches(wanted) for each in filled):
            raise NotAllowedError("room_name: you may not join this room")
        return wanted

    def _check_config(self, config: api.RoomConfiguration) -> None:
        """Lets through a dispatch of this agent, which the token has anyway. Metadata of a dispatch
        would be instructions, tools and a tenant of the client's choice."""
        own = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=self._agent_name)])
        if config.ByteSize() and not (self._agent_name and config == own):
            raise NotAllowedError("room_config: it is not for the client to choose")


def _check_identity(identity: str, agent_identity: str) -> None:
    if identity == agent_identity:
        raise NotAllowedError("participant_identity: reserved for the agent")
