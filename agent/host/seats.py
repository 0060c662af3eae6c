"""Seats: the agent's identity in a room, which one participant can have at a time.

A participant that joins with an identity that is taken throws the other one out. So a second
dispatch into a room would end the answers of the living agent there. Docs:
docs/adr/0031-the-living-agent-stays.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final

import aiohttp
from livekit import api
from livekit.api.room_service import RoomService
from livekit.protocol.models import ParticipantInfo

from agent.sdk.perform_rpc import perform_rpc
from agent.wire.server_errors import UNAVAILABLE

logger = logging.getLogger(__name__)

DECIDED_WITHIN: Final = 2.6
"""Seconds from a job request to its answer. livekit-server abandons a job after 3 s, the default
timeout of psrpc (LaunchJob, pkg/agent/client.go), and spends 0.2 s of them selecting a server
(DefaultAffinityShortCircuit)."""

REMOVAL: Final = 0.3
"""Seconds of DECIDED_WITHIN reserved for removing a dead agent. The call to the agent gets the
rest: livekit-server abandons a call after 2 s if the participant does not acknowledge it. The
native SDK acknowledges by itself, also where Python is busy."""

PAUSE: Final = 0.5
"""Seconds between an answer and the next call: an agent that got SIGTERM has left by then."""

_NO_ANSWER: Final = ("canceled", "deadline_exceeded", "unavailable")
_NO_CALLS: Final = ("bad_route", "unimplemented")
"""The server cannot call participants, as before livekit-server 1.9."""


class Sign(Enum):
    """The result of a call to the other agent."""

    LIVES = "lives"
    SILENT = "silent"
    LATE = "late"
    """There was no answer in the time that was left."""
    UNKNOWN = "unknown"


class Seats:
    """Finds out, by the server's API, whether the agent's identity can be taken in a room."""

    def __init__(self, identity: str, open_api: Callable[[], api.LiveKitAPI]) -> None:
        """`open_api` is called on the loop of `free`, when it is first needed."""
        self._identity = identity
        self._open_api = open_api
        self._api: api.LiveKitAPI | None = None

    async def free(
        self, room: str, *, on_dead: Callable[[], Awaitable[object]] | None = None
    ) -> bool:
        """Whether the agent may join. True at once in a room without an agent of its identity.

        An agent that answers two calls stays: False. One that does not acknowledge a call is dead:
        it is removed, since its end after the job was accepted would end that job (livekit-server,
        pkg/rtc/room.go, RemoveParticipant). An agent that sends nothing more before the
        decision is due is judged by its last sign. `on_dead` is awaited before a removal.
        """
        due = asyncio.get_running_loop().time() + DECIDED_WITHIN
        for pause in (PAUSE, 0):
            occupant = await self._occupant(room, due)
            if occupant is None and not pause:
                break
            if not occupant:
                return True
            sign = await self._probe(room, due - REMOVAL)
            if sign is Sign.UNKNOWN:
                return True
            # It answered a moment ago, or has joined since: this little time proves nothing.
            if sign is Sign.LATE and not pause:
                break
            if sign in {Sign.SILENT, Sign.LATE}:
                if await self._occupant(room, due) not in {occupant, None}:
                    # Another job removed that agent, and its own joins or has joined.
                    break
                logger.warning("removing a dead agent from the room", extra={"room": room})
                if on_dead is not None:
                    await on_dead()
                await self._remove(room, due)
                return True
            await asyncio.sleep(pause)
        logger.warning("job refused: its room already has a living agent", extra={"room": room})
        return False

    async def aclose(self) -> None:
        if self._api is not None:
            await self._api.aclose()

    @property
    def _service(self) -> RoomService:
        if self._api is None:
            self._api = self._open_api()
        return self._api.room

    async def _occupant(self, room: str, due: float) -> str | None:
        """The sid of the agent that has the identity in the room; "": there is none; None: the
        server gives no answer."""
        try:
            async with asyncio.timeout_at(due):
                found = await self._service.get_participant(self._who(room))
        except api.TwirpError as error:
            return "" if error.code == api.TwirpErrorCode.NOT_FOUND else None
        except (aiohttp.ClientError, TimeoutError):
            return None
        return found.sid if found.kind == ParticipantInfo.Kind.AGENT else ""

    async def _remove(self, room: str, due: float) -> None:
        try:
            async with asyncio.timeout_at(due):
                await self._service.remove_participant(self._who(room))
        except UNAVAILABLE as error:
            logger.warning("dead agent not removed from the room: %s", type(error).__name__)

    async def _probe(self, room: str, due: float) -> Sign:
        """Calls `ping` of the agent in the room, in the name of the server."""
        try:
            async with asyncio.timeout_at(due):
                await perform_rpc(self._service, room, self._identity, "ping", "{}")
        except api.TwirpError as error:
            if error.code in _NO_CALLS:
                return Sign.UNKNOWN
            # Any other error is an answer, such as that there is no such method.
            return Sign.SILENT if error.code in _NO_ANSWER else Sign.LIVES
        except TimeoutError:
            return Sign.LATE
        except aiohttp.ClientError:
            return Sign.UNKNOWN
        return Sign.LIVES

    def _who(self, room: str) -> api.RoomParticipantIdentity:
        return api.RoomParticipantIdentity(room=room, identity=self._identity)
