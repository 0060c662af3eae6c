"""Agent workers: their connections at /agent, and the assignment of jobs.

As livekit-server does it (pkg/service/agentservice.go, pkg/agent/client.go).
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from aiohttp import web
from livekit.protocol import agent

from devserver.agents.worker import Worker, WorkerKey, deployment_error
from devserver.agents.worker_connection import (
    WorkerConnection,
    WorkerProtocolError,
    WorkerUnavailableError,
    pong,
)
from devserver.auth import token_of
from devserver.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devserver.rooms.room_context import RoomContext

log = logging.getLogger("devserver.agents")

TARGET_LOAD = 0.699999988079071
"""A job is dropped unless a worker reports less (`agents.target_load` of livekit-server: 0.7, as
the 32 bits that a load has on the wire)."""
ANSWER_WITHIN_SECONDS = 3.0
"""Seconds for which a job looks for a worker, refusals included; then it is dropped."""
REGISTER_WITHIN_SECONDS = 10.0
CLOSE_WITHIN_SECONDS = 1.0
SIMULATED_JOBS = 100
"""Offers of simulated jobs under way at once; further requests for one are ignored."""


class NoWorkerError(Exception):
    """Nobody takes a job: it is dropped, and does not come back."""


class AgentWorkers:
    """The workers of one server."""

    def __init__(self, context: RoomContext) -> None:
        self._context = context
        self._workers: list[Worker] = []
        self._connections: set[WorkerConnection] = set()
        self._unregistered: dict[WorkerConnection, None] = {}
        """Connections that have not registered yet, in the order of their arrival."""
        self._tasks = TaskSet()

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.route("*", "/agent", self._connect)]

    async def close(self) -> None:
        """Closes every worker's connection."""
        await asyncio.gather(*(connection.close() for connection in self._connections))
        await self._tasks.close()

    # --- jobs

    def namespaces(self, agent_name: str, job_type: agent.JobType, deployment: str) -> list[str]:
        """The namespaces with workers for such a job; each gets a job of its own."""
        return sorted(
            {
                worker.key.namespace
                for worker in self._workers
                if worker.key == WorkerKey(agent_name, worker.key.namespace, job_type, deployment)
            }
        )

    async def assign(self, job: agent.Job) -> agent.JobState:
        """Finds a worker for a job, and returns the job's state. Raises NoWorkerError.

        A worker that rejects the job, or dies before it answers, is not asked again; a silent one
        holds the job until the time is up.
        """
        key = WorkerKey(job.agent_name, job.namespace, job.type, job.deployment)
        workers = [worker for worker in self._workers if worker.key == key]
        if not any(worker.available and worker.load < TARGET_LOAD for worker in workers):
            raise NoWorkerError("no worker below the target load")
        asked: set[Worker] = set()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                while True:
                    worker = self._select(key, asked)
                    asked.add(worker)
                    try:
                        return await worker.assign(job)
                    except WorkerUnavailableError as refusal:
                        log.info("job %s: %s", job.id, refusal)
        except TimeoutError:
            raise NoWorkerError("the worker did not answer in time") from None

    async def terminate(self, job_id: str) -> agent.JobState | None:
        """Ends a running job; None if no worker runs it."""
        for worker in self._workers:
            if worker.runs(job_id):
                try:
                    return await worker.terminate(job_id)
                except WorkerUnavailableError:
                    return None
        return None

    def _select(self, key: WorkerKey, asked: set[Worker]) -> Worker:
        """A worker at random, weighted by its free capacity. Raises NoWorkerError."""
        free = {
            worker: max(0.0, 1.0 - worker.load)
            for worker in self._workers
            if worker.key == key and worker.available and worker not in asked
        }
        if not any(free.values()):
            raise NoWorkerError("no workers with sufficient capacity")
        return random.choices(list(free), weights=list(free.values()))[0]  # noqa: S311  # no secret

    # --- connections

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(
            timeout=CLOSE_WITHIN_SECONDS, max_msg_size=self._context.limits.signal_message_size
        )
        if not websocket.can_prepare(request).ok:
            return web.Response(status=404)
        if not token_of(request).can_register_agent():
            return web.Response(status=401, text="no permissions to access the room")
        if not self._make_room():
            return web.Response(status=503, text="too many workers")
        await websocket.prepare(request)
        connection = WorkerConnection(websocket)
        self._connections.add(connection)
        self._unregistered[connection] = None
        try:
            await self._serve(connection)
        except WorkerProtocolError as error:
            log.warning("closing a worker's connection: %s", error)
        except WorkerUnavailableError:
            pass  # It is gone, which is how a connection ends.
        finally:
            self._connections.discard(connection)
            self._unregistered.pop(connection, None)
            await connection.close()
        return websocket

    def _make_room(self) -> bool:
        """Whether one more may connect; the oldest unregistered connection makes room for it."""
        if len(self._connections) < self._context.limits.workers:
            return True
        silent = next(iter(self._unregistered), None)
        if silent is None:
            return False
        del self._unregistered[silent]
        self._connections.discard(silent)
        self._context.tasks.start(silent.close(), name="close a worker's connection")
        return True

    async def _serve(self, connection: WorkerConnection) -> None:
        worker = await self._register(connection)
        if worker is None:
            return
        self._workers.append(worker)
        self._unregistered.pop(connection, None)
        log.info("worker %s registered for agent %r", worker.id, worker.key.agent_name)
        try:
            while (message := await connection.receive()) is not None:
                if message.HasField("simulate_job"):
                    if len(self._tasks) < SIMULATED_JOBS:
                        job = worker.simulated_job(message.simulate_job)
                        self._tasks.start(_simulate(worker, job), name="simulate a job")
                else:
                    await worker.handle(message)
        finally:
            self._workers.remove(worker)
            worker.close()

    async def _register(self, connection: WorkerConnection) -> Worker | None:
        try:
            async with asyncio.timeout(REGISTER_WITHIN_SECONDS):
                while (message := await connection.receive()) is not None:
                    match message.WhichOneof("message"):
                        case "ping":
                            await connection.send(pong(message.ping))
                        case "register":
                            return await self._admit(connection, message.register)
                        case kind:
                            raise WorkerProtocolError(f"not registered, but said {kind}")
        except TimeoutError:
            raise WorkerProtocolError("not registered in time") from None
        return None

    async def _admit(
        self, connection: WorkerConnection, request: agent.RegisterWorkerRequest
    ) -> Worker:
        if request.type not in agent.JobType.values():
            raise WorkerProtocolError("unknown job type")
        if error := deployment_error(request.deployment):
            raise WorkerProtocolError(error)
        worker = Worker(self._context.auth, connection, request)
        answer = agent.RegisterWorkerResponse(worker_id=worker.id, server_info=self._context.info)
        await connection.send(agent.ServerMessage(register=answer))
        return worker


async def _simulate(worker: Worker, job: agent.Job) -> None:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
            await worker.assign(job)
    except (WorkerUnavailableError, TimeoutError):
        log.info("simulated job %s was not taken", job.id)
