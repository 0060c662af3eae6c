"""Agent workers: their connection, and the jobs they are offered and assigned."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import jwt
import pytest
from livekit import api
from livekit.protocol import agent, models

from tests.devserver.dispatches import dispatch

if TYPE_CHECKING:
    import aiohttp

    from tests.conftest import Join
    from tests.devserver.raw_worker import ConnectWorker
    from tests.room_server import RoomServerUnderTest

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class TestConnection:
    async def test_without_upgrade_there_is_no_such_page(
        self, room_server: RoomServerUnderTest, http: aiohttp.ClientSession
    ) -> None:
        async with http.get(f"{room_server.http_url}/agent") as response:
            assert (response.status, await response.text()) == (404, "")

    @pytest.mark.parametrize("grants", [None, {"room_admin": True}])
    async def test_a_worker_needs_the_agent_grant(
        self,
        room_server: RoomServerUnderTest,
        http: aiohttp.ClientSession,
        grants: dict[str, bool] | None,
    ) -> None:
        headers = dict(UPGRADE)
        if grants is not None:
            headers["Authorization"] = "Bearer " + room_server.token("", "", **grants)
        async with http.get(f"{room_server.http_url}/agent", headers=headers) as response:
            assert response.status == 401
            assert await response.text() == "no permissions to access the room"

    async def test_registration_names_worker_and_server(self, worker: ConnectWorker) -> None:
        unregistered = await worker(None)
        answer = await unregistered.register("someone")
        assert answer.worker_id.startswith("AW_")
        assert answer.server_info.edition == models.ServerInfo.Standard
        assert answer.server_info.version.startswith("1.")
        assert answer.server_info.protocol >= 16
        assert answer.server_info.agent_protocol == 1
        assert answer.server_info.node_id.startswith("ND_")

    async def test_ping_is_answered_also_before_registration(self, worker: ConnectWorker) -> None:
        unregistered = await worker(None)
        pong = await unregistered.ping(timestamp=123)
        assert pong.last_timestamp == 123
        assert pong.timestamp > 1_700_000_000_000
        await unregistered.register()
        assert (await unregistered.ping(timestamp=456)).last_timestamp == 456

    async def test_a_worker_that_speaks_json_is_answered_in_json(
        self, worker: ConnectWorker
    ) -> None:
        unregistered = await worker(None)
        await unregistered.socket.send_str('{"register": {"type": "JT_ROOM"}}')
        async with asyncio.timeout(5):
            answer = json.loads(await unregistered.socket.receive_str())
        assert answer["register"]["workerId"].startswith("AW_")

    @pytest.mark.parametrize(
        "message",
        [
            pytest.param(b"\xff\xff\xff", id="garbage"),
            pytest.param(b"", id="nothing"),
            pytest.param(
                agent.WorkerMessage(
                    availability=agent.AvailabilityResponse(job_id="AJ_x")
                ).SerializeToString(),
                id="not registered",
            ),
            pytest.param(
                agent.WorkerMessage(
                    register=agent.RegisterWorkerRequest(deployment="a_b")
                ).SerializeToString(),
                id="reserved character in deployment",
            ),
        ],
    )
    async def test_a_malformed_registration_ends_the_connection(
        self, worker: ConnectWorker, message: bytes
    ) -> None:
        unregistered = await worker(None)
        await unregistered.socket.send_bytes(message)
        await unregistered.closed()

    @pytest.mark.parametrize(
        "message",
        [
            pytest.param(b"\xff\xff\xff", id="garbage"),
            pytest.param(b"", id="nothing"),
            pytest.param(
                agent.WorkerMessage(register=agent.RegisterWorkerRequest()).SerializeToString(),
                id="registered twice",
            ),
        ],
    )
    async def test_a_message_that_a_worker_must_not_send_ends_the_connection(
        self, worker: ConnectWorker, message: bytes
    ) -> None:
        registered = await worker("someone")
        await registered.socket.send_bytes(message)
        await registered.closed()

    async def test_messages_about_foreign_jobs_are_ignored(self, worker: ConnectWorker) -> None:
        registered = await worker("someone")
        for message in (
            agent.WorkerMessage(availability=agent.AvailabilityResponse(job_id="AJ_x")),
            agent.WorkerMessage(update_job=agent.UpdateJobStatus(job_id="AJ_x")),
            agent.WorkerMessage(migrate_job=agent.MigrateJobRequest(job_ids=["AJ_x"])),
        ):
            await registered.send(message)
        assert await registered.nothing_waits()


class TestAssignment:
    async def test_an_offered_job_says_what_it_is_for(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name)
        await lk_api.room.create_room(api.CreateRoomRequest(name=room_name, metadata="of the room"))
        created = await lk_api.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(
                room=room_name,
                agent_name=agent_name,
                metadata="of the dispatch",
                attributes={"key": "value"},
            )
        )
        job = await registered.offered_job()
        assert job.id.startswith("AJ_")
        assert job.dispatch_id == created.id
        assert job.type == agent.JT_ROOM
        assert (job.room.name, job.room.metadata) == (room_name, "of the room")
        assert job.room.sid.startswith("RM_")
        assert not job.HasField("participant")
        assert (job.agent_name, job.metadata) == (agent_name, "of the dispatch")
        assert dict(job.attributes) == {"key": "value"}
        assert job.state.status == agent.JS_RUNNING
        assert job.state.worker_id == registered.worker_id
        assert job.state.started_at == job.state.updated_at > 0

    async def test_one_that_names_no_identity_accepts_too(
        self,
        room_server: RoomServerUnderTest,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name)
        await dispatch(lk_api, room_name, agent_name)
        job = await registered.offered_job()
        assignment = await registered.accept(job, identity="")
        assert assignment.job.state.participant_identity == ""
        claims = jwt.decode(assignment.token, room_server.api_secret, algorithms=["HS256"])
        assert claims.get("sub", "") == ""
        assert claims["video"]["room"] == room_name

    async def test_accepting_brings_a_token_for_the_room(
        self,
        room_server: RoomServerUnderTest,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name)
        await dispatch(lk_api, room_name, agent_name)
        job = await registered.offered_job()
        assignment = await registered.answer(
            agent.AvailabilityResponse(
                job_id=job.id,
                available=True,
                participant_identity="the-agent",
                participant_name="The Agent",
                participant_metadata="about it",
                participant_attributes={"mood": "good", "lk.agent_name": "overwritten"},
            )
        )
        assert assignment.job.id == job.id
        assert assignment.job.state.participant_identity == "the-agent"
        assert not assignment.HasField("url")
        claims = jwt.decode(assignment.token, room_server.api_secret, algorithms=["HS256"])
        assert claims["iss"] == room_server.api_key
        assert claims["exp"] - claims["nbf"] == 3600
        assert {key: claims[key] for key in ("sub", "name", "metadata", "kind")} == {
            "sub": "the-agent",
            "name": "The Agent",
            "metadata": "about it",
            "kind": "agent",
        }
        assert claims["attributes"] == {"mood": "good", "lk.agent_name": agent_name}
        assert claims["video"] == {
            "agent": True,
            "room": room_name,
            "roomJoin": True,
            "canPublish": True,
            "canPublishData": True,
            "canSubscribe": True,
            "canSubscribeMetrics": False,
            "canUpdateOwnMetadata": True,
        }

    async def test_a_worker_limits_what_its_agents_may_do(
        self,
        room_server: RoomServerUnderTest,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(
            agent_name,
            permissions=models.ParticipantPermission(can_publish_data=True, hidden=True),
        )
        await dispatch(lk_api, room_name, agent_name)
        assignment = await registered.accept(await registered.offered_job())
        claims = jwt.decode(assignment.token, room_server.api_secret, algorithms=["HS256"])
        video = claims["video"]
        assert video["hidden"]
        assert video["canPublishData"]
        assert not video["canPublish"]
        assert not video["canSubscribe"]
        assert not video["canUpdateOwnMetadata"]

    async def test_the_agent_in_the_room_carries_its_name(
        self,
        room_server: RoomServerUnderTest,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name)
        await dispatch(lk_api, room_name, agent_name)
        assignment = await registered.accept(await registered.offered_job(), "helper")
        await join("", token=assignment.token)
        info = await lk_api.room.get_participant(
            api.RoomParticipantIdentity(room=room_name, identity="helper")
        )
        assert info.kind == models.ParticipantInfo.AGENT
        assert info.permission.agent
        assert dict(info.attributes) == {"lk.agent_name": agent_name}
        rooms = await lk_api.room.list_rooms(api.ListRoomsRequest(names=[room_name]))
        assert rooms.rooms[0].num_participants == 0

    async def test_a_simulated_job_is_offered_to_the_worker_that_asked(
        self, worker: ConnectWorker, agent_name: str
    ) -> None:
        registered = await worker(agent_name)
        await registered.send(
            agent.WorkerMessage(
                simulate_job=agent.SimulateJobRequest(
                    type=agent.JT_ROOM, room=models.Room(name="imagined")
                )
            )
        )
        job = await registered.offered_job()
        assert (job.room.name, job.agent_name, job.dispatch_id) == ("imagined", agent_name, "")
        assignment = await registered.accept(job)
        assert assignment.job.id == job.id
