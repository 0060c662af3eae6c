"""A registered agent worker, which is offered jobs and reports on them.

As in livekit-server (pkg/agent/worker.go).
"""

from __future__ import annotations

import asyncio
import datetime
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit import api
from livekit.api.access_token import Claims
from livekit.protocol import agent, models

from devserver import sid
from devserver.agents.worker_connection import (
    WorkerConnection,
    WorkerProtocolError,
    WorkerUnavailableError,
    pong,
)

if TYPE_CHECKING:
    from devserver.auth import Authenticator

AGENT_NAME_ATTRIBUTE = "lk.agent_name"
"""Attribute by which the server says which agent a participant is; livekit-agents adds its own."""

TOKEN_TTL = datetime.timedelta(hours=1)

_WORKER = "AW_"
_JOB = "AJ_"
_DEPLOYMENT_LENGTH = 64
_ENDED = (agent.JS_SUCCESS, agent.JS_FAILED)


@dataclass(frozen=True)
class WorkerKey:
    """The properties in which a job and its worker have to agree."""

    agent_name: str
    namespace: str
    job_type: agent.JobType
    deployment: str


class Worker:
    """A registered worker: its abilities, its load and its jobs."""

    def __init__(
        self,
        auth: Authenticator,
        connection: WorkerConnection,
        registration: agent.RegisterWorkerRequest,
    ) -> None:
        self.id = sid.new_sid(_WORKER)
        self.key = WorkerKey(
            registration.agent_name,
            registration.namespace,
            registration.type,
            registration.deployment,
        )
        self.load = 0.0
        self.status: agent.WorkerStatus = agent.WS_AVAILABLE
        self._auth = auth
        self._connection = connection
        self._permissions = (
            registration.allowed_permissions
            if registration.HasField("allowed_permissions")
            else models.ParticipantPermission(
                can_subscribe=True,
                can_publish=True,
                can_publish_data=True,
                can_update_metadata=True,
            )
        )
        self._running: dict[str, agent.Job] = {}
        self._offered: dict[str, asyncio.Future[agent.AvailabilityResponse]] = {}
        self._closed = False

    @property
    def available(self) -> bool:
        return self.status == agent.WS_AVAILABLE

    async def assign(self, offered: agent.Job) -> agent.JobState:
        """Offers a job and, if the worker takes it, assigns it.

        Returns the job's state: JS_RUNNING, or JS_SUCCESS if the worker reported that there is
        nothing to do. Raises WorkerUnavailableError if it does not take the job.
        """
        job = agent.Job()
        job.CopyFrom(offered)
        now = time.time_ns()
        job.state.worker_id = self.id
        job.state.updated_at = job.state.started_at = now
        job.state.status = agent.JS_RUNNING
        answer = await self._offer(job)
        if answer.terminate:
            job.state.ended_at = now
            job.state.status = agent.JS_SUCCESS
            return job.state
        if not answer.available:
            raise WorkerUnavailableError("the worker rejected the job")
        job.state.participant_identity = answer.participant_identity
        token = self._agent_token(job.room.name, answer)
        assignment = agent.JobAssignment(job=job, token=token)
        self._running[job.id] = job
        try:
            await self._connection.send(agent.ServerMessage(assignment=assignment))
        except WorkerUnavailableError:
            del self._running[job.id]
            raise
        state = agent.JobState()
        state.CopyFrom(job.state)
        return state

    async def terminate(self, job_id: str) -> agent.JobState | None:
        """Ends a job of the worker; None if it runs no such job."""
        job = self._running.pop(job_id, None)
        if job is None:
            return None
        job.state.status = agent.JS_SUCCESS
        job.state.updated_at = job.state.ended_at = time.time_ns()
        termination = agent.JobTermination(job_id=job_id)
        await self._connection.send(agent.ServerMessage(termination=termination))
        return job.state

    def runs(self, job_id: str) -> bool:
        return job_id in self._running

    def simulated_job(self, request: agent.SimulateJobRequest) -> agent.Job:
        """The simulated job that the worker requests, to try itself out."""
        of_participant = request.HasField("participant")
        return agent.Job(
            id=new_job_id(),
            type=agent.JT_PUBLISHER if of_participant else agent.JT_ROOM,
            room=request.room,
            participant=request.participant if of_participant else None,
            namespace=self.key.namespace,
            agent_name=self.key.agent_name,
        )

    async def handle(self, message: agent.WorkerMessage) -> None:
        """Handles the worker's messages. Raises WorkerProtocolError."""
        match message.WhichOneof("message"):
            case "ping":
                await self._connection.send(pong(message.ping))
            case "availability":
                future = self._offered.pop(message.availability.job_id, None)
                if future is not None and not future.done():
                    future.set_result(message.availability)
            case "update_worker":
                self.load = message.update_worker.load
                if message.update_worker.HasField("status"):
                    self.status = message.update_worker.status
            case "update_job":
                self._update_job(message.update_job)
            case "migrate_job":
                pass  # livekit-server outside the cloud ignores it too
            case kind:
                raise WorkerProtocolError(f"unexpected message: {kind}")

    def close(self) -> None:
        """Notes that the connection is lost: whatever waits for an answer gets none."""
        self._closed = True
        for future in self._offered.values():
            if not future.done():
                future.set_exception(WorkerUnavailableError("the worker is gone"))
        self._offered.clear()

    async def _offer(self, job: agent.Job) -> agent.AvailabilityResponse:
        if self._closed:
            raise WorkerUnavailableError("the worker is gone")
        future = asyncio.get_running_loop().create_future()
        self._offered[job.id] = future
        try:
            request = agent.AvailabilityRequest(job=job)
            await self._connection.send(agent.ServerMessage(availability=request))
            return await future
        finally:
            self._offered.pop(job.id, None)

    def _update_job(self, update: agent.UpdateJobStatus) -> None:
        job = self._running.get(update.job_id)
        if job is None:
            return  # The room may have ended first.
        job.state.status = update.status
        job.state.error = update.error
        job.state.updated_at = time.time_ns()
        if update.status in _ENDED:
            job.state.ended_at = job.state.updated_at
            del self._running[update.job_id]

    def _agent_token(self, room: str, answer: agent.AvailabilityResponse) -> str:
        permissions = self._permissions
        claims = Claims(
            name=answer.participant_name,
            metadata=answer.participant_metadata,
            kind="agent",
            attributes={**answer.participant_attributes, AGENT_NAME_ATTRIBUTE: self.key.agent_name},
            video=api.VideoGrants(
                room_join=True,
                agent=True,
                room=room,
                can_subscribe=permissions.can_subscribe,
                can_publish=permissions.can_publish,
                can_publish_data=permissions.can_publish_data,
                can_update_own_metadata=permissions.can_update_metadata,
                can_subscribe_metrics=permissions.can_subscribe_metrics,
                hidden=permissions.hidden or None,
            ),
        )
        return self._auth.issue(answer.participant_identity, claims, TOKEN_TTL)


def new_job_id() -> str:
    return sid.new_sid(_JOB)


def deployment_error(deployment: str) -> str:
    """Return the fault of a deployment's name, or "" (livekit/protocol: agent/deployment.go)."""
    if len(deployment.encode()) > _DEPLOYMENT_LENGTH:
        return f"deployment exceeds {_DEPLOYMENT_LENGTH} bytes"
    for position, byte in enumerate(deployment.encode()):
        if byte == ord("_"):
            return "deployment contains reserved character '_'"
        if byte <= ord(" ") or byte == 0x7F:
            return f"deployment contains whitespace or control byte at position {position}"
    return ""
