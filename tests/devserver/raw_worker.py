"""An agent worker reduced to its wire: one WebSocket, protobuf both ways."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

import aiohttp
from livekit.protocol import agent, models

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.room_server import RoomServerUnderTest

WITHIN = 15.0


class WorkerClosedError(Exception):
    """The server closed the connection."""


class RawWorker:
    """Sends WorkerMessages, and hands out ServerMessages by kind, in the order of their arrival."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.worker_id = ""
        self._pending: list[agent.ServerMessage] = []

    async def send(self, message: agent.WorkerMessage) -> None:
        await self.socket.send_bytes(message.SerializeToString())

    async def receive(self, kind: str) -> agent.ServerMessage:
        """The next message of that kind; others are kept for later calls.

        Raises WorkerClosedError, and TimeoutError if none comes in time.
        """
        for message in self._pending:
            if message.WhichOneof("message") == kind:
                self._pending.remove(message)
                return message
        async with asyncio.timeout(WITHIN):
            while True:
                raw = await self.socket.receive()
                if raw.type is not aiohttp.WSMsgType.BINARY:
                    raise WorkerClosedError(raw.type)
                message = agent.ServerMessage.FromString(raw.data)
                if message.WhichOneof("message") == kind:
                    return message
                self._pending.append(message)

    async def register(
        self,
        agent_name: str = "",
        *,
        job_type: agent.JobType = agent.JT_ROOM,
        namespace: str | None = None,
        deployment: str = "",
        permissions: models.ParticipantPermission | None = None,
    ) -> agent.RegisterWorkerResponse:
        request = agent.RegisterWorkerRequest(
            type=job_type,
            agent_name=agent_name,
            version="1.2.3",
            namespace=namespace,
            deployment=deployment,
            allowed_permissions=permissions,
        )
        await self.send(agent.WorkerMessage(register=request))
        answer = (await self.receive("register")).register
        self.worker_id = answer.worker_id
        return answer

    async def status(
        self, load: float = 0.0, status: agent.WorkerStatus = agent.WS_AVAILABLE
    ) -> None:
        """Reports load and status, and returns when the server knows them."""
        update = agent.UpdateWorkerStatus(load=load, status=status)
        await self.send(agent.WorkerMessage(update_worker=update))
        await self.ping()

    async def ping(self, timestamp: int = 1) -> agent.WorkerPong:
        """A round trip: whatever was sent before it has been handled when it returns."""
        await self.send(agent.WorkerMessage(ping=agent.WorkerPing(timestamp=timestamp)))
        return (await self.receive("pong")).pong

    async def offered_job(self) -> agent.Job:
        """The job of the next AvailabilityRequest."""
        return (await self.receive("availability")).availability.job

    async def accept(self, job: agent.Job, identity: str = "agent") -> agent.JobAssignment:
        """Takes the job; the agent's identity is all it says of itself."""
        return await self.answer(
            agent.AvailabilityResponse(job_id=job.id, available=True, participant_identity=identity)
        )

    async def answer(self, response: agent.AvailabilityResponse) -> agent.JobAssignment:
        """Answers an AvailabilityRequest with yes, and returns what is assigned."""
        await self.send(agent.WorkerMessage(availability=response))
        return (await self.receive("assignment")).assignment

    async def reject(self, job: agent.Job, *, terminate: bool = False) -> None:
        response = agent.AvailabilityResponse(job_id=job.id, available=False, terminate=terminate)
        await self.send(agent.WorkerMessage(availability=response))

    async def terminated_job(self) -> str:
        """The id in the next JobTermination."""
        return (await self.receive("termination")).termination.job_id

    async def report(self, job: agent.Job, status: agent.JobStatus, error: str = "") -> None:
        """Reports a job's status, and returns when the server knows it."""
        update = agent.UpdateJobStatus(job_id=job.id, status=status, error=error)
        await self.send(agent.WorkerMessage(update_job=update))
        await self.ping()

    async def nothing_waits(self) -> bool:
        """Whether the server has sent nothing that was not read."""
        await self.ping()
        return not self._pending

    async def closed(self) -> None:
        """Returns when the server has closed the connection."""
        with contextlib.suppress(WorkerClosedError):
            while True:
                await self.receive("")


class ConnectWorker(Protocol):
    """Connects a worker to the server under test; `agent_name=None` leaves it unregistered."""

    async def __call__(
        self,
        agent_name: str | None = "",
        *,
        job_type: agent.JobType = agent.JT_ROOM,
        namespace: str | None = None,
        deployment: str = "",
        permissions: models.ParticipantPermission | None = None,
    ) -> RawWorker: ...


@contextlib.asynccontextmanager
async def worker_connections(server: RoomServerUnderTest) -> AsyncGenerator[ConnectWorker]:
    """A ConnectWorker whose connections are closed at the end."""
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def connect(
            agent_name: str | None = "",
            *,
            job_type: agent.JobType = agent.JT_ROOM,
            namespace: str | None = None,
            deployment: str = "",
            permissions: models.ParticipantPermission | None = None,
        ) -> RawWorker:
            socket = await stack.enter_async_context(
                session.ws_connect(
                    f"{server.url}/agent?protocol=1",
                    headers={"Authorization": f"Bearer {server.token(agent=True)}"},
                )
            )
            worker = RawWorker(socket)
            if agent_name is not None:
                await worker.register(
                    agent_name,
                    job_type=job_type,
                    namespace=namespace,
                    deployment=deployment,
                    permissions=permissions,
                )
            return worker

        yield connect
