"""Dispatch: the jobs of a room, and their outcome.

A room has dispatches: those it was created with, or one for the agents without a name, and those by
API. Each leads to a job when it is made, and to jobs for participants and publishers as they come.
As livekit-server does it (pkg/rtc/room.go): a job that finds no worker at once is never offered
again, and one whose worker dies is not either.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from livekit.protocol import agent, agent_dispatch, models

from devserver import sid
from devserver.agents.agents import AgentWorkers, NoWorkerError
from devserver.agents.worker import deployment_error, new_job_id
from devserver.rooms.listeners import RoomListener
from devserver.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from devserver.rooms.participant import Participant
    from devserver.rooms.register import RoomRegister
    from devserver.rooms.room import Room

log = logging.getLogger("devserver.dispatch")

LEAVE_WITHIN_SECONDS = 3.0
"""Seconds that an agent has to leave after its dispatch is deleted; then it is removed."""

_DISPATCH = "AD_"


@dataclass
class _AgentJob:
    """The job that brings a participant into a room."""

    id: str
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when that participant has left."""


@dataclass
class _RoomJobs:
    """The jobs of one room."""

    expected: dict[str, _AgentJob] = field(default_factory=dict[str, _AgentJob])
    """By participant identity: the job assigned last, whose agent has yet to join."""
    present: dict[str, _AgentJob] = field(default_factory=dict[str, _AgentJob])
    """By participant session id: the job that brought it."""
    publishers: set[str] = field(default_factory=set[str])
    """Session ids of participants that have published."""
    pending: dict[str, set[asyncio.Task[None]]] = field(
        default_factory=dict[str, set[asyncio.Task[None]]]
    )
    """By dispatch id: offers under way."""


class Dispatcher(RoomListener):
    """Dispatches agents, for every room of a server."""

    def __init__(self, register: RoomRegister, workers: AgentWorkers) -> None:
        self._workers = workers
        self._delay = register.context.delays.jobs
        self._tasks = TaskSet()
        self._jobs: dict[str, _RoomJobs] = {}
        """By room id."""
        register.listeners.append(self)

    def routes(self) -> Iterable[web.RouteDef]:
        """It has no routes; AgentDispatchService has them."""
        return ()

    async def close(self) -> None:
        """Ends the offers under way."""
        await self._tasks.close()

    # --- dispatches

    def create(self, room: Room, dispatch: agent_dispatch.AgentDispatch) -> None:
        """Adds a dispatch to a room, with an id and a fresh state, and requests its agents."""
        dispatch.id = sid.new_sid(_DISPATCH)
        dispatch.room = room.name
        dispatch.state.CopyFrom(agent_dispatch.AgentDispatchState(created_at=time.time_ns()))
        room.dispatches[dispatch.id] = dispatch
        self._send_for(room, dispatch, agent.JT_ROOM)
        for participant in room.participants.values():
            if participant.info.is_publisher:
                self._send_for(room, dispatch, agent.JT_PUBLISHER, participant)
            self._send_for(room, dispatch, agent.JT_PARTICIPANT, participant)

    def delete(self, room: Room, dispatch_id: str) -> agent_dispatch.AgentDispatch | None:
        """Removes a dispatch and ends its jobs; None if the room has no such dispatch."""
        dispatch = room.dispatches.pop(dispatch_id, None)
        if dispatch is not None:
            self._tasks.start(self._end(room, dispatch), name=f"end dispatch {dispatch_id}")
        return dispatch

    # --- events

    def room_started(self, room: Room) -> None:
        self._jobs[room.info.sid] = _RoomJobs()
        # Without any dispatch: workers that registered without a name, as before agents had names.
        for wanted in room.agents or (agent_dispatch.RoomAgentDispatch(),):
            if error := deployment_error(wanted.deployment):
                log.warning("room %s: agent not dispatched: %s", room.name, error)
                continue
            self.create(
                room,
                agent_dispatch.AgentDispatch(
                    agent_name=wanted.agent_name,
                    metadata=wanted.metadata,
                    restart_policy=wanted.restart_policy,
                    deployment=wanted.deployment,
                    attributes=wanted.attributes,
                ),
            )

    def room_finished(self, room: Room) -> None:
        self._jobs.pop(room.info.sid, None)

    def participant_admitted(self, room: Room, participant: Participant) -> None:
        jobs = self._jobs.get(room.info.sid)
        if jobs is not None and (job := jobs.expected.pop(participant.identity, None)) is not None:
            jobs.present[participant.sid] = job
        for dispatch in room.dispatches.values():
            self._send_for(room, dispatch, agent.JT_PARTICIPANT, participant)

    def track_published(
        self, room: Room, participant: Participant, track: models.TrackInfo
    ) -> None:
        del track
        jobs = self._jobs.get(room.info.sid)
        if jobs is None or participant.sid in jobs.publishers:
            return
        jobs.publishers.add(participant.sid)
        for dispatch in room.dispatches.values():
            self._send_for(room, dispatch, agent.JT_PUBLISHER, participant)

    def participant_left(self, room: Room, participant: Participant) -> None:
        jobs = self._jobs.get(room.info.sid)
        if jobs is None:
            return
        jobs.publishers.discard(participant.sid)
        # When another participant of its identity drives an agent out, the agent's own job ends.
        # livekit-server ends the job that was assigned last for the identity, whichever that is by
        # then.
        job = jobs.present.pop(participant.sid, None)
        if job is not None:
            job.left.set()
            self._tasks.start(self._workers.terminate(job.id), name=f"terminate job {job.id}")

    def participant_connection_aborted(self, room: Room, participant: Participant) -> None:
        self.participant_left(room, participant)

    # --- jobs

    def _send_for(
        self,
        room: Room,
        dispatch: agent_dispatch.AgentDispatch,
        job_type: agent.JobType,
        participant: Participant | None = None,
    ) -> None:
        jobs = self._jobs.get(room.info.sid)
        if jobs is None or (participant is not None and participant.is_dependent):
            return
        for namespace in self._workers.namespaces(
            dispatch.agent_name, job_type, dispatch.deployment
        ):
            job = agent.Job(
                id=new_job_id(),
                dispatch_id=dispatch.id,
                type=job_type,
                room=room.info,
                participant=participant.info if participant is not None else None,
                namespace=namespace,
                agent_name=dispatch.agent_name,
                metadata=dispatch.metadata,
                deployment=dispatch.deployment,
                attributes=dispatch.attributes,
            )
            task = self._tasks.start(self._assign(jobs, dispatch, job), name=f"assign job {job.id}")
            pending = jobs.pending.setdefault(dispatch.id, set())
            pending.add(task)
            task.add_done_callback(pending.discard)

    async def _assign(
        self, jobs: _RoomJobs, dispatch: agent_dispatch.AgentDispatch, job: agent.Job
    ) -> None:
        if self._delay:
            await asyncio.sleep(self._delay)
        try:
            state = await self._workers.assign(job)
        except NoWorkerError as error:
            log.info("dropped job %s of agent %r: %s", job.id, job.agent_name, error)
            return
        job.state.CopyFrom(state)
        dispatch.state.jobs.append(job)
        if state.participant_identity:
            jobs.expected[state.participant_identity] = _AgentJob(job.id)

    async def _end(self, room: Room, dispatch: agent_dispatch.AgentDispatch) -> None:
        jobs = self._jobs.get(room.info.sid)
        if jobs is None:
            return
        if pending := jobs.pending.pop(dispatch.id, None):
            await asyncio.wait(pending)
        for job in list(dispatch.state.jobs):
            state = await self._workers.terminate(job.id)
            if state is None or not state.participant_identity:
                continue
            participant = room.participants.get(state.participant_identity)
            present = jobs.present.get(participant.sid) if participant is not None else None
            if participant is not None and present is not None and present.id == job.id:
                await _see_off(participant, present)


async def _see_off(participant: Participant, job: _AgentJob) -> None:
    """Waits for an agent to leave the room, and removes it if it does not."""
    try:
        async with asyncio.timeout(LEAVE_WITHIN_SECONDS):
            await job.left.wait()
    except TimeoutError:
        log.info("agent %s did not leave in time, removing it", participant.identity)
        participant.remove()
