"""ClientProtocols: the protocols of the clients in the room, as the server reports them."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from livekit import rtc
from livekit.protocol.models import ParticipantInfo

from agent.wire.server_errors import UNAVAILABLE

logger = logging.getLogger(__name__)

INLINE_PROTOCOL = 2
"""client_protocol from which on a client takes a text inside its stream's header
(livekit-client 2.21; below it, text goes to the whole room in chunks, at any size)."""


MAX_KNOWN = 1_000
"""Sessions whose protocol is remembered."""


class ClientProtocols:
    """The `client_protocol` of the participants, which the SDK does not expose.

    It belongs to a session, so the server is asked once for each.

    Args:
        look_up: looks up a participant of the room at the server, by identity.
        list_all: lists all participants of the room at the server.
    """

    def __init__(
        self,
        room: rtc.Room,
        look_up: Callable[[str], Awaitable[ParticipantInfo]],
        list_all: Callable[[], Awaitable[list[ParticipantInfo]]],
    ) -> None:
        self._room = room
        self._look_up = look_up
        self._list_all = list_all
        self._known: OrderedDict[str, int] = OrderedDict()

    async def of(self, identity: str) -> int | None:
        """Somebody's protocol; None if it cannot be found out."""
        participant = self._room.remote_participants.get(identity)
        if participant is not None and participant.sid in self._known:
            return self._known[participant.sid]
        try:
            info = await self._look_up(identity)
        except UNAVAILABLE as error:
            logger.info("client protocol lookup failed: %s", type(error).__name__)
            return None
        self._remember(info)
        return info.client_protocol

    async def reads_headers(self, identity: str) -> bool:
        """Whether the SDK will put a short text for this participant into the stream's header,
        which is addressed.

        The SDK must know them, and their client must have a protocol that reads the text there.
        Otherwise the text goes to everybody in chunks.
        """
        if identity not in self._room.remote_participants:
            return False
        protocol = await self.of(identity)
        return protocol is not None and protocol >= INLINE_PROTOCOL

    async def all_who_read_headers(self) -> set[str]:
        """The identities of the participants whose clients read a text inside a stream's header."""
        participants = list(self._room.remote_participants.values())
        if any(each.sid not in self._known for each in participants):
            try:
                for info in await self._list_all():
                    self._remember(info)
            except UNAVAILABLE as error:
                logger.info("protocols of some clients unknown: %s", type(error).__name__)
        return {
            each.identity
            for each in participants
            if self._known.get(each.sid, 0) >= INLINE_PROTOCOL
        }

    def _remember(self, info: ParticipantInfo) -> None:
        self._known[info.sid] = info.client_protocol
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
