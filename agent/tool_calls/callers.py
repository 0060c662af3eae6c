"""Callers: looks up for whom tools run, as the room server reports them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from livekit import rtc
from livekit.protocol.models import ParticipantInfo

from agent.author_label import display_name
from agent.wire.server_errors import UNAVAILABLE
from toolkit.caller import Caller

logger = logging.getLogger(__name__)

LookUp = Callable[[str], Awaitable[ParticipantInfo]]
"""Asks the server for a participant; raises api.TwirpError, aiohttp.ClientError, TimeoutError."""


class Callers:
    """Looks up callers, including those whom the server has not announced to the agent yet."""

    def __init__(self, room: rtc.Room, look_up: LookUp) -> None:
        self._room = room
        self._look_up = look_up

    async def find(self, identity: str, name: str = "") -> Caller:
        """The caller with this identity; `name` is used if they cannot be found."""
        if identity == self._room.local_participant.identity:
            # The agent says something unasked: nobody's roles are used.
            return Caller(identity, display_name(name))
        participant = self._room.remote_participants.get(identity)
        if participant is not None:
            return described(participant)
        info = await self._info(identity)
        if info is None:
            return Caller(identity, display_name(name))
        return Caller(
            identity,
            display_name(info.name),
            attributes=dict(info.attributes),
            metadata=info.metadata,
            vouched=info.HasField("permission") and not info.permission.can_update_metadata,
        )

    async def _info(self, identity: str) -> ParticipantInfo | None:
        try:
            return await self._look_up(identity)
        except UNAVAILABLE as error:
            logger.info(
                "caller lookup failed; the call runs without roles: %s", type(error).__name__
            )
            return None


def described(participant: rtc.RemoteParticipant) -> Caller:
    """Somebody whom the room knows."""
    permissions = participant.permissions
    return Caller(
        participant.identity,
        display_name(participant.name),
        attributes=dict(participant.attributes),
        metadata=participant.metadata,
        # No permission at all means that the server has not sent them.
        vouched=bool(permissions.ListFields()) and not permissions.can_update_metadata,
    )
