"""Callers: for whom tools run, as the room server knows them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import aiohttp
from livekit import api, rtc
from livekit.protocol.models import ParticipantInfo

from tools.context import Caller

logger = logging.getLogger(__name__)

STREAMED_RPC_PROTOCOL = 1
"""client_protocol of clients to which an RPC request travels in chunks that all can read."""

LookUp = Callable[[str], Awaitable[ParticipantInfo]]
"""Asks the server for a participant; raises api.TwirpError, aiohttp.ClientError, TimeoutError."""


class Callers:
    """Finds out who calls, also those whom the server has not announced to the agent yet."""

    def __init__(self, room: rtc.Room, look_up: LookUp) -> None:
        self._room = room
        self._look_up = look_up

    def known(self, identity: str) -> rtc.RemoteParticipant | None:
        """The participant, if the room knows them."""
        return self._room.remote_participants.get(identity)

    async def find(self, identity: str, name: str = "") -> Caller:
        """The caller with this identity; the name is that of one who cannot be found."""
        participant = self.known(identity)
        if participant is not None:
            permissions = participant.permissions
            return Caller(
                identity,
                participant.name,
                attributes=dict(participant.attributes),
                metadata=participant.metadata,
                # Without any permission, none have been told.
                vouched=bool(permissions.ListFields()) and not permissions.can_update_metadata,
            )
        info = await self._info(identity)
        if info is None:
            return Caller(identity, name)
        return Caller(
            identity,
            info.name,
            attributes=dict(info.attributes),
            metadata=info.metadata,
            vouched=info.HasField("permission") and not info.permission.can_update_metadata,
        )

    async def can_be_called_privately(self, identity: str) -> bool:
        """Whether a short RPC request to them reaches nobody else.

        To protocol 0 it goes in an addressed packet, from 2 on inside an addressed header; in
        between in chunks that the server sends to everybody. Unknown counts as no.
        """
        info = await self._info(identity)
        return info is not None and info.client_protocol != STREAMED_RPC_PROTOCOL

    async def _info(self, identity: str) -> ParticipantInfo | None:
        try:
            return await self._look_up(identity)
        except (api.TwirpError, aiohttp.ClientError, TimeoutError) as error:
            logger.info("a caller could not be looked up: %s", type(error).__name__)
            return None
