"""RoomEntry: decides whether the agent may enter a room, and announces its entry."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from agent.chat.tenure import Tenure
from agent.host.claims import Claims, claims_file
from agent.host.remade_rooms import RemadeRooms
from agent.host.room_leases import RoomLeases
from agent.host.seats import Seats
from agent.host.server_api import ServerApi
from agent.host.takeover import Takeover

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from livekit.protocol.agent import Job
    from livekit.protocol.models import Room

    from agent.config.proxies import Proxies
    from agent.config.settings import Settings
    from agent.history.leases import Leases

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

ASKING: Final = 2.0
"""Seconds that a job waits for the rooms' loop, which may be busy."""


class RoomEntry:
    """Asks three sources about another agent in a room: the processes of this machine, the server,
    and the database. With TAKEOVER, it also looks for rooms without an agent.

    `claim`, `is_free` and `release` are for the main loop, the rest for the rooms' loop.
    """

    def __init__(
        self,
        settings: Settings,
        proxies: Proxies,
        store: Leases,
        *,
        run: Callable[[Coroutine[Any, Any, Any]], Future[Any]],
        free: Callable[[], int],
    ) -> None:
        """
        Args:
            run: runs something on the rooms' loop.
            free: returns how many rooms the process can take; 0: it is not registered, or is
                ending.
        """
        self._run = run
        identity = settings.agent_identity
        open_api = partial(ServerApi.of, settings, proxies)
        self._seats = Seats(identity, open_api)
        file = claims_file(os.environ, identity)
        self._claims = Claims(file)
        self._leases: RoomLeases | None = None
        self._takeover: Takeover | None = None
        self._remade: RemadeRooms | None = None
        self._asked: set[str] = set()
        """Jobs whose rooms were found free, as far as is known."""
        if settings.takeover:
            self._leases = RoomLeases(
                store, Claims(file), identity=identity, scope=_scope(settings), free=free
            )
            self._takeover = Takeover(
                self._leases,
                agent_name=settings.agent_name,
                open_api=open_api,
                open_seats=lambda: Seats(identity, open_api),
                may_look=lambda: free() > 0,
            )
            self._remade = RemadeRooms(
                self._leases, agent_name=settings.agent_name, open_api=open_api
            )

    def claim(self, sid: str) -> bool:
        """Claims a room that is about to be joined; False if another process has claimed it."""
        return self._claims.take(sid)

    def release(self, sid: str) -> None:
        """Releases the claim of a room that was joined, or will not be. For any thread."""
        self._claims.release(sid)

    async def is_free(self, job: str, room: Room) -> bool:
        """Whether no living agent is in a room; if so, the job has its lease."""
        leases = self._leases
        if leases is None:
            return await self._seats.free(room.name)
        by_force = partial(leases.take, job, room.sid, by_force=True)
        if not await self._seats.free(room.name, on_dead=lambda: self._ask(by_force())):
            # The agent there may be about to leave, as one whose dispatch was deleted.
            self._run(leases.want(room.sid))
            return False
        if await self._ask(leases.take(job, room.sid)):
            self._asked.add(job)
            return True
        logger.warning(
            "job refused: another worker process has its room", extra={"room": room.name}
        )
        return False

    def start(self) -> None:
        """Begins to show that the process lives, and to look for rooms without an agent."""
        if self._leases is not None and self._takeover is not None:
            self._leases.start()
            self._takeover.start()

    async def enter(self, job: str, sid: str, on_lost: Callable[[], None]) -> Tenure:
        """The tenure of a job; `on_lost` is called when another process has its room."""
        if self._leases is None or not sid:
            return Tenure()
        # Of jobs that another process handed over, nothing is known yet.
        taken = await self._leases.take(job, sid, by_force=job not in self._asked)
        tenure = self._leases.tenure(job, on_lost)
        # The answer for a job may have come too late: another process has its room.
        tenure.is_over = tenure.is_over or not taken
        return tenure

    def came_back(self, job: Job) -> None:
        """The agent of a job has its connection back, perhaps to another room of the same name."""
        if self._remade is not None:
            self._remade.look(job)

    async def is_dismissed(self, job: Job, age: float) -> bool:
        """Whether the room of a job that the server ended needs no agent any more: its dispatch was
        deleted, and no other one waits for an agent. `age`: seconds since the job began."""
        return self._takeover is not None and await self._takeover.is_dismissed(job, age)

    async def leave(self, job: str, *, left: bool = False) -> None:
        """Releases a room for another process; `left`: it needs no agent any more. Safe to
        repeat."""
        self._asked.discard(job)
        if self._leases is not None:
            await self._leases.give_back(job, left=left)

    async def rooms_left(self) -> None:
        """To be called when all rooms were left."""
        if self._remade is not None:
            await self._remade.aclose()
        if self._leases is not None and self._takeover is not None:
            await self._takeover.aclose()
            await self._leases.aclose()

    async def aclose(self) -> None:
        """The last step, on the main loop."""
        await self._seats.aclose()
        self._claims.close()

    async def _ask(self, work: Coroutine[Any, Any, bool]) -> bool:
        """The result of a coroutine on the rooms' loop; True if it takes too long: that loop would
        not join a room either."""
        asked = asyncio.wrap_future(self._run(work))
        done, _ = await asyncio.wait((asked,), timeout=ASKING)
        return asked.result() if done else True


def _scope(settings: Settings) -> str:
    """The common key of workers that can stand in for each other."""
    words = (settings.livekit_url or "", settings.agent_name, settings.agent_identity)
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]
