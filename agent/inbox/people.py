"""People: the participants of the room, as the server names them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Set
from typing import Final

from livekit import api, rtc
from livekit.protocol.models import ParticipantInfo

from agent.inbox.message import Sender
from agent.wire.server_errors import UNAVAILABLE

logger = logging.getLogger(__name__)


LOOKUP_TIMEOUT = 2.0
_ON_BEHALF: Final = "lk.publish_on_behalf"
"""Attribute of an agent that only represents another one."""
ANNOUNCED_WITHIN = 5.0
"""Seconds within which the server announces everybody who is in the room."""


class Directory:
    """The server's API, asked for the participants of one room."""

    def __init__(self, service: api.LiveKitAPI, room: str) -> None:
        self._service = service.room
        self._room = room

    async def get(self, identity: str) -> ParticipantInfo:
        """Raises api.TwirpError, aiohttp.ClientError or TimeoutError."""
        async with asyncio.timeout(LOOKUP_TIMEOUT):
            return await self._service.get_participant(
                api.RoomParticipantIdentity(room=self._room, identity=identity)
            )

    async def all(self) -> list[ParticipantInfo]:
        """Raises as `get` does."""
        async with asyncio.timeout(LOOKUP_TIMEOUT):
            found = await self._service.list_participants(
                api.ListParticipantsRequest(room=self._room)
            )
        return list(found.participants)


class People:
    """Looks up the sender of a message, including participants the room has not announced yet.

    livekit-server announces a participant without tracks up to 3 s late (room.go,
    subscriberUpdateInterval). The API knows them already; if it is unavailable, the announcement is
    awaited.
    """

    def __init__(self, room: rtc.Room, directory: Directory) -> None:
        self._room = room
        self._directory = directory
        self._lookups: dict[str, asyncio.Task[Sender]] = {}

    def is_known(self, identity: str) -> bool:
        return identity in self._room.remote_participants

    def has_other_agent(self) -> bool:
        """Whether another program's agent is in the room, which gets the same messages."""
        return any(
            _is_agent(each.kind) and _ON_BEHALF not in each.attributes
            for each in self._room.remote_participants.values()
        )

    def count_with(self, identity: str) -> int:
        """The number of people (not agents) in the room with this one, who may not be announced."""
        present = self._room.remote_participants
        people = sum(not _is_agent(each.kind) for each in present.values())
        return people + (identity not in present)

    def known(self, identity: str) -> Sender:
        """A participant that the room knows; one who has just left keeps their identity only."""
        participant = self._room.remote_participants.get(identity)
        if participant is None:
            return Sender(identity)
        return Sender(identity, participant.name, is_agent=_is_agent(participant.kind))

    async def find(self, identity: str) -> Sender:
        """A participant, whether or not the room knows them yet."""
        if self.is_known(identity):
            return self.known(identity)
        lookup = self._lookups.get(identity)
        if lookup is None:
            lookup = asyncio.create_task(self._look_up(identity), name="look up a participant")
            self._lookups[identity] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(identity, None))
        return await asyncio.shield(lookup)

    async def announced(self, identity: str) -> bool:
        """Returns when the room knows a participant (True), or should know them by now."""
        if self.is_known(identity):
            return True
        announced = asyncio.Event()

        def on_connected(participant: rtc.RemoteParticipant) -> None:
            if participant.identity == identity:
                announced.set()

        self._room.on("participant_connected", on_connected)
        try:
            async with asyncio.timeout(ANNOUNCED_WITHIN):
                await announced.wait()
        except TimeoutError:
            return False
        finally:
            self._room.off("participant_connected", on_connected)
        return True

    async def aclose(self) -> None:
        for lookup in self._lookups.values():
            lookup.cancel()
        await asyncio.gather(*self._lookups.values(), return_exceptions=True)

    async def unannounced(self, known: Set[str]) -> list[Sender]:
        """The people in the room besides those with the identities given.

        Empty where the API cannot be asked.
        """
        try:
            present = await self._directory.all()
        except UNAVAILABLE as error:
            logger.warning("participant lookup failed: %s", type(error).__name__)
            return []
        me = self._room.local_participant.identity
        return [
            Sender(person.identity, person.name)
            for person in present
            if person.identity not in known and person.identity != me and not _is_agent(person.kind)
        ]

    async def _look_up(self, identity: str) -> Sender:
        try:
            info = await self._directory.get(identity)
        except UNAVAILABLE as error:
            logger.info("participant lookup failed: %s", type(error).__name__)
            if not await self.announced(identity):
                logger.warning("sender of a message was never announced by the room server")
            return self.known(identity)
        return Sender(identity, info.name, is_agent=_is_agent(info.kind))


def _is_agent(kind: int) -> bool:
    return kind == ParticipantInfo.Kind.AGENT
