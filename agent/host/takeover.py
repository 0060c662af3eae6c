"""Takeover: dispatches an agent to rooms with people and no living agent.

livekit-server gives a job to a worker once. A room whose worker has died, or that found every
worker full or none at all, needs another dispatch, which is made here. One process of all looks for
such rooms at a time. Docs: docs/adr/0056-takeover.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from livekit import api
from livekit.protocol import agent_dispatch
from livekit.protocol.models import ParticipantInfo

from agent.history.errors import HistoryError
from agent.history.leases import LeaseState
from agent.host.server_api import TIMEOUT
from agent.tasks import Tasks
from agent.telemetry.metrics import TAKEOVERS
from agent.wire.server_errors import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from livekit.protocol.agent import Job
    from livekit.protocol.models import Room

    from agent.host.room_leases import RoomLeases
    from agent.host.seats import Seats

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

EVERY: Final = 2.0
"""Seconds between two looks at the server's rooms."""

ARRIVING: Final = 4.0
"""Seconds that a room without a lease is left alone: its first job may be starting."""

AT_A_TIME: Final = 10
"""Rooms that are checked in a round: each costs a few requests."""

FOREIGN: Final = 2
"""At most this many of them never had a lease: other agents may be at work there."""

PAUSES: Final = (3.0, 3.0, 5.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds before the next dispatch: a worker that is suspended may have got the job."""

OTHERS: Final = (5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds before the next check of a room whose agent answers without a lease."""

NOT_OURS: Final = (*OTHERS, 120.0, 300.0, 600.0)
"""Seconds before the next check of a room that has no dispatch of ours."""

LISTS: Final = 3.0
"""Seconds that the list of the server's rooms may take at first. The next one gets twice as long
after one that took too long, up to the limit of the server's API."""

STORES: Final = 1.0
"""Seconds that a look waits for the database; then it counts as unavailable."""

VACATES: Final = 0.3
"""Seconds that the removal of a dead agent waits for the database."""

ASKING: Final = 2.0
"""Seconds to find out why a job was ended."""

UNDECIDED: Final = 10.0
"""Seconds after which a dispatch without a job will not get one: it was refused, or found no
worker. livekit-server abandons it within 3 s (LaunchJob, pkg/agent/client.go)."""

_NAME: Final = "lk.agent_name"
"""Attribute in which livekit-server has a worker's dispatch name (pkg/agent/worker.go)."""
_ON_BEHALF: Final = "lk.publish_on_behalf"
"""Attribute of an agent that only represents another one."""
_PEOPLE: Final = (
    ParticipantInfo.Kind.STANDARD,
    ParticipantInfo.Kind.SIP,
    ParticipantInfo.Kind.CONNECTOR,
)
_REASONS: Final = {LeaseState.EXPIRED: "died", LeaseState.FREE: "left", None: "missing"}


@dataclass(slots=True)
class _Watch:
    """A room without a lease. Times are of the monotonic clock.

    Attributes:
        due: when the next check is due.
        looks: number of checks in a row.
        looked: when the last check was.
    """

    due: float
    looks: int = 0
    looked: float = 0.0

    def later(self, pauses: tuple[float, ...], now: float) -> None:
        self.due = now + pauses[min(self.looks, len(pauses) - 1)]
        self.looks += 1
        self.looked = now


class Takeover:
    """Looks for such rooms, from `start` to `aclose`, on the rooms' loop."""

    def __init__(
        self,
        leases: RoomLeases,
        *,
        agent_name: str,
        open_api: Callable[[], api.LiveKitAPI],
        open_seats: Callable[[], Seats],
        may_look: Callable[[], bool],
    ) -> None:
        """
        Args:
            may_look: whether the process is registered, and not ending.
        """
        self._leases = leases
        self._agent_name = agent_name
        self._open_api = open_api
        self._open_seats = open_seats
        self._may_look = may_look
        self._post = f"takeover {leases.scope}"
        self._has_post = False
        self._watched: dict[str, _Watch] = {}
        self._failed = False
        self._patience = LISTS
        self._server: api.LiveKitAPI | None = None
        self._tasks = Tasks()

    def start(self) -> None:
        self._tasks.keep(self._look_always, name="takeover")

    async def aclose(self) -> None:
        await self._tasks.aclose()
        await self._resign()
        if self._server is not None:
            await self._server.aclose()
            self._server = None

    async def is_dismissed(self, job: Job, age: float) -> bool:
        """Whether a job's dispatch was deleted, and no younger one asks for the agent; False if the
        server does not say.

        Args:
            age: seconds since the job began.
        """
        # By the server's clock, which this machine's need not agree with.
        asked_since = job.state.started_at + int(max(age - UNDECIDED, 0.0) * 1e9)
        try:
            async with asyncio.timeout(ASKING):
                found = await self._opened().agent_dispatch.list_dispatch(job.room.name)
        except UNAVAILABLE:
            return False
        return all(
            each.id != job.dispatch_id
            and (
                each.agent_name != self._agent_name
                # One without a job that was made just now, after this job began, is about to have
                # it.
                or each.state.jobs
                or each.state.created_at < asked_since
            )
            for each in found
        )

    def _opened(self) -> api.LiveKitAPI:
        if self._server is None:
            self._server = self._open_api()
        return self._server

    async def _look_always(self) -> None:
        server, seats = self._opened(), self._open_seats()
        try:
            while True:
                if not self._may_look():
                    await self._resign()
                elif await self._elected():
                    await self._look_once(server, seats)
                await asyncio.sleep(EVERY)
        finally:
            await seats.aclose()

    async def _look_once(self, server: api.LiveKitAPI, seats: Seats) -> None:
        try:
            await self._look(server, seats)
        except UNAVAILABLE as error:
            if not self._failed:
                logger.warning(
                    "looking for rooms without an agent failed, will retry: %s",
                    type(error).__name__,
                )
            self._failed = True
        except Exception:
            # The boundary around one look: the next one comes at the usual time.
            logger.exception("looking for rooms without an agent failed unexpectedly, will retry")
        else:
            self._failed = False

    async def _elected(self) -> bool:
        """Whether this process is the one that looks: of its machine, and of all machines."""
        leases = self._leases
        if not leases.claims.take(self._post):
            await self._resign()
            return False
        # Without the database, those of other machines cannot tell either; a second dispatch is
        # refused.
        taking = leases.store.take(leases.identity, self._post, leases.id)
        self._has_post = await self._stored(taking, otherwise=True)
        return self._has_post

    async def _resign(self) -> None:
        leases = self._leases
        if self._has_post:
            self._watched.clear()
            try:
                await leases.store.give_back(leases.identity, self._post, leases.id, left=False)
            except HistoryError as error:
                logger.info("lease of the lookout not released, will retry: %s", error)
            else:
                self._has_post = False
        leases.claims.release(self._post)

    async def _look(self, server: api.LiveKitAPI, seats: Seats) -> None:
        rooms = {each.sid: each for each in await self._list(server)}
        states = await self._states(rooms)
        now = time.monotonic()
        due = self._due(rooms, states, now)
        free = await self._free()
        looks = [
            self._replace(rooms[sid], (states or {}).get(sid), server, seats)
            for sid in due[: min(AT_A_TIME, free)]
        ]
        await asyncio.gather(*looks)

    async def _list(self, server: api.LiveKitAPI) -> Iterable[Room]:
        """The rooms of the server. Raises TimeoutError rather soon: the next look may be faster."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                found = await server.room.list_rooms(api.ListRoomsRequest())
        except TimeoutError:
            self._patience = min(self._patience * 2, TIMEOUT)
            raise
        self._patience = min(max(LISTS, 2 * (time.monotonic() - began)), TIMEOUT)
        return found.rooms

    async def _states(self, sids: Iterable[str]) -> Mapping[str, LeaseState] | None:
        """The state of the rooms' leases; None: the database does not answer."""
        return await self._stored(self._leases.states(sids), otherwise=None)

    async def _stored(self, work: Awaitable[Result], otherwise: Result) -> Result:
        """The result of a database query; `otherwise` if it does not answer in time."""
        try:
            async with asyncio.timeout(STORES):
                return await work
        except (HistoryError, TimeoutError):
            return otherwise

    def _due(
        self,
        rooms: Mapping[str, Room],
        states: Mapping[str, LeaseState] | None,
        now: float,
    ) -> list[str]:
        """The rooms without a living agent that are due for a check: those that had one first, then
        by how long they are due."""
        for sid in self._watched.keys() - rooms.keys():
            del self._watched[sid]
        known: list[tuple[float, str]] = []
        foreign: list[tuple[float, str]] = []
        for sid, room in rooms.items():
            state = (states or {}).get(sid)
            # Of a new room, livekit-server counts nobody for some seconds.
            if state is None and not room.num_participants:
                continue
            is_held = self._leases.is_held_here(sid) if states is None else False
            if is_held or state in {LeaseState.HELD, LeaseState.LEFT}:
                self._forget(sid, now)
                continue
            first = now if state is not None else now + ARRIVING
            watch = self._watched.setdefault(sid, _Watch(first))
            if state is not None and not watch.looks:
                watch.due = min(watch.due, now)
            if watch.due <= now:
                (foreign if state is None else known).append((watch.due, sid))
        few = None if states is None else FOREIGN
        return [sid for _, sid in (*sorted(known), *sorted(foreign)[:few])]

    def _forget(self, sid: str, now: float) -> None:
        """An agent that joins and fails at once is not dispatched again in a hurry."""
        watch = self._watched.get(sid)
        if watch is not None and now - watch.looked > PAUSES[-1]:
            del self._watched[sid]

    async def _free(self) -> int:
        """Places of all workers; those of this process where the others' are not known."""
        leases = self._leases
        return await self._stored(leases.store.free(leases.scope), otherwise=leases.free())

    async def _replace(
        self, room: Room, state: LeaseState | None, server: api.LiveKitAPI, seats: Seats
    ) -> None:
        watch = self._watched[room.sid]
        try:
            dispatch = self._wanted(await server.agent_dispatch.list_dispatch(room.name))
            if dispatch is None:
                watch.later(NOT_OURS, time.monotonic())
                return
            if not await self._has_people_alone(room.name, server) or not await seats.free(
                room.name,
                on_dead=partial(self._vacate, room.sid),
            ):
                watch.later(OTHERS, time.monotonic())
                return
            watch.later(PAUSES, time.monotonic())
            if not await self._is_still_alone(room, server):
                return
            logger.warning(
                "room has people and no agent, dispatching one", extra={"room": room.name}
            )
            await server.agent_dispatch.create_dispatch(
                agent_dispatch.CreateAgentDispatchRequest(
                    agent_name=self._agent_name,
                    room=room.name,
                    metadata=dispatch.metadata,
                    attributes=dispatch.attributes,
                    deployment=dispatch.deployment,
                )
            )
            TAKEOVERS.add(_REASONS.get(state, "missing"))
        except (*UNAVAILABLE, HistoryError) as error:
            watch.later(PAUSES, time.monotonic())
            logger.warning(
                "no agent dispatched to a room without one: %s",
                type(error).__name__,
                extra={"room": room.name},
            )
        except Exception:
            # The boundary around one room: the others are still checked.
            watch.later(PAUSES, time.monotonic())
            logger.exception("no agent dispatched to a room without one", extra={"room": room.name})

    async def _is_still_alone(self, room: Room, server: api.LiveKitAPI) -> bool:
        """Whether a room is still there and nobody has taken it, or was sent away, since the list
        of rooms was asked for: the server may be slow."""
        states = await self._states([room.sid])
        if (states or {}).get(room.sid) in {LeaseState.HELD, LeaseState.LEFT}:
            return False
        found = await server.room.list_rooms(api.ListRoomsRequest(names=[room.name]))
        return any(each.sid == room.sid for each in found.rooms)

    async def _vacate(self, sid: str) -> None:
        """Frees the lease of a dead agent; it is removed even without the database."""
        with contextlib.suppress(HistoryError, TimeoutError):
            async with asyncio.timeout(VACATES):
                await self._leases.store.vacate(self._leases.identity, sid)

    def _wanted(
        self, dispatches: Iterable[agent_dispatch.AgentDispatch]
    ) -> agent_dispatch.AgentDispatch | None:
        """The newest dispatch of this agent that no other program took; None: it is not wanted."""
        ours = [
            each
            for each in dispatches
            if each.agent_name == self._agent_name
            and each.restart_policy != agent_dispatch.JRP_NEVER
            and {job.state.participant_identity for job in each.state.jobs}
            <= {"", self._leases.identity}
        ]
        return max(ours, key=lambda each: each.state.created_at, default=None)

    async def _has_people_alone(self, room: str, server: api.LiveKitAPI) -> bool:
        """Whether there are people, and no other program under the dispatch name."""
        found = await server.room.list_participants(api.ListParticipantsRequest(room=room))
        agents = [
            each
            for each in found.participants
            if each.kind == ParticipantInfo.Kind.AGENT
            and each.identity != self._leases.identity
            and each.attributes.get(_NAME, "") == self._agent_name
            and _ON_BEHALF not in each.attributes
        ]
        return not agents and any(each.kind in _PEOPLE for each in found.participants)
