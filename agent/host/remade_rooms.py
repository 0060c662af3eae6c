"""RemadeRooms: rooms with an agent that the server has lost and created again.

livekit-server without Redis forgets its rooms when it ends. Who was in one joins a room of the same
name again: with another id, and, where the agent comes first or an app had dispatched it by API,
without a dispatch. No lease says who has the new room, and nothing that an agent is wanted there
once this one dies. Docs: docs/adr/0056-takeover.md.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from livekit import api
from livekit.protocol import agent_dispatch

from agent.tasks import Tasks
from agent.wire.server_errors import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.protocol.agent import Job

    from agent.host.room_leases import RoomLeases

logger = logging.getLogger(__name__)

PAUSES: Final = (0.0, 1.0, 3.0, 10.0, 30.0)
"""Seconds before each look at a room: another worker's agent may be on its way into it."""

AT_A_TIME: Final = 10
"""Rooms that are looked at: all of a process have their connections back at the same moment."""


class RemadeRooms:
    """Looks after a room whenever its agent has its connection back, on the rooms' loop."""

    def __init__(
        self, leases: RoomLeases, *, agent_name: str, open_api: Callable[[], api.LiveKitAPI]
    ) -> None:
        self._leases = leases
        self._agent_name = agent_name
        self._open_api = open_api
        self._server: api.LiveKitAPI | None = None
        self._looks: dict[str, asyncio.Task[None]] = {}
        """By job."""
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._tasks = Tasks()

    def look(self, job: Job) -> None:
        """Makes sure that a job's room has a lease and a dispatch, if it is another one now."""
        if (former := self._looks.get(job.id)) is not None:
            former.cancel()
        look = self._tasks.start(self._look(job), name="check a recreated room")
        self._looks[job.id] = look
        look.add_done_callback(lambda _: self._forget(job.id, look))

    async def aclose(self) -> None:
        await self._tasks.aclose()
        if self._server is not None:
            await self._server.aclose()
            self._server = None

    def _forget(self, job: str, look: asyncio.Task[None]) -> None:
        if self._looks.get(job) is look:
            del self._looks[job]

    async def _look(self, job: Job) -> None:
        for pause in PAUSES:
            await asyncio.sleep(pause)
            try:
                async with self._turns:
                    if await self._is_settled(job):
                        return
            except UNAVAILABLE as error:
                logger.info("recreated room not checked: %s", type(error).__name__)

    async def _is_settled(self, job: Job) -> bool:
        """Whether the agent has the lease of the room that it is in, or no room."""
        held = self._leases.sid(job.id)
        if held is None:
            return True
        server = self._opened()
        name = job.room.name
        found = (await server.room.list_rooms(api.ListRoomsRequest(names=[name]))).rooms
        if not found:
            return False
        if found[0].sid == held:
            return True
        dispatches = await server.agent_dispatch.list_dispatch(name)
        if all(each.agent_name != self._agent_name for each in dispatches):
            logger.info(
                "room recreated without a dispatch; creating a dispatch", extra={"room": name}
            )
            # Its job is refused, since the agent is there.
            await server.agent_dispatch.create_dispatch(
                agent_dispatch.CreateAgentDispatchRequest(
                    agent_name=self._agent_name,
                    room=name,
                    metadata=job.metadata,
                    attributes=job.attributes,
                    deployment=job.deployment,
                )
            )
        return await self._leases.move(job.id, found[0].sid)

    def _opened(self) -> api.LiveKitAPI:
        if self._server is None:
            self._server = self._open_api()
        return self._server
