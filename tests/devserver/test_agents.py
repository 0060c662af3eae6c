"""Agent workers: registration, availability, assignment, load, termination, and their end."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import jwt
import pytest
from livekit import api
from livekit.protocol import agent, models

from tests.devserver.dispatches import dispatch, dispatch_state, one_job

if TYPE_CHECKING:
    import aiohttp

    from tests.conftest import Join
    from tests.devserver.raw_worker import ConnectWorker, RawWorker
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
    async def test_what_is_no_registration_ends_the_connection(
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
    async def test_what_a_worker_must_not_say_ends_the_connection(
        self, worker: ConnectWorker, message: bytes
    ) -> None:
        registered = await worker("someone")
        await registered.socket.send_bytes(message)
        await registered.closed()

    async def test_what_concerns_no_job_of_the_worker_is_ignored(
        self, worker: ConnectWorker
    ) -> None:
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


class TestRefusal:
    async def test_a_job_goes_once_to_each_worker_that_rejects_it(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        workers = [await worker(agent_name) for _ in range(3)]
        created = await dispatch(lk_api, room_name, agent_name)
        offers = [asyncio.create_task(w.offered_job()) for w in workers]
        asked: list[RawWorker] = []
        jobs: list[agent.Job] = []
        while len(asked) < 2:
            asking, job = await first_offer(workers, offers, asked)
            asked.append(asking)
            jobs.append(job)
            await asking.reject(job)
        last, job = await first_offer(workers, offers, asked)
        await last.accept(job)
        assert {j.id for j in jobs} == {job.id}
        for each in workers:
            assert await each.nothing_waits()
        counted = await one_job(lk_api, room_name, created.id)
        assert (counted.id, counted.state.worker_id) == (job.id, last.worker_id)

    async def test_terminate_refuses_for_all_workers(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        workers = [await worker(agent_name) for _ in range(2)]
        created = await dispatch(lk_api, room_name, agent_name)
        offers = [asyncio.create_task(w.offered_job()) for w in workers]
        asked, job = await first_offer(workers, offers, [])
        await asked.reject(job, terminate=True)
        [other] = (w for w in workers if w is not asked)
        # The next dispatch is the other's first offer if the terminated job never was.
        await asked.status(load=1.0)
        second = await dispatch(lk_api, room_name, agent_name)
        assert (await offers[workers.index(other)]).dispatch_id == second.id
        terminated = await one_job(lk_api, room_name, created.id)
        assert terminated.state.status == agent.JS_SUCCESS
        assert terminated.state.ended_at > 0

    async def test_a_worker_that_dies_before_it_answers_is_passed_over(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        workers = [await worker(agent_name) for _ in range(2)]
        await dispatch(lk_api, room_name, agent_name)
        offers = [asyncio.create_task(w.offered_job()) for w in workers]
        asked, job = await first_offer(workers, offers, [])
        await asked.socket.close()
        heir, same_job = await first_offer(workers, offers, [asked])
        assert same_job.id == job.id
        await heir.accept(same_job)

    async def test_a_worker_that_is_silent_for_three_seconds_loses_the_job_for_all(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        workers = [await worker(agent_name) for _ in range(2)]
        created = await dispatch(lk_api, room_name, agent_name)
        offers = [asyncio.create_task(w.offered_job()) for w in workers]
        silent, job = await first_offer(workers, offers, [])
        [other] = (offer for offer in offers if not offer.done())
        # Nobody else is asked, and no event says that the server gave up: it is this time.
        done, _ = await asyncio.wait([other], timeout=3.5)
        assert not done
        late = agent.AvailabilityResponse(
            job_id=job.id, available=True, participant_identity="late"
        )
        await silent.send(agent.WorkerMessage(availability=late))
        assert await silent.nothing_waits()
        assert not (await dispatch_state(lk_api, room_name, created.id)).jobs
        other.cancel()
        await asyncio.wait([other])


class TestLoad:
    async def test_a_full_worker_is_not_asked(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        full, free = await worker(agent_name), await worker(agent_name)
        await full.status(status=agent.WS_FULL)
        for _ in range(5):
            await dispatch(lk_api, room_name, agent_name)
            await free.accept(await free.offered_job())
        assert await full.nothing_waits()
        await full.status(status=agent.WS_AVAILABLE)
        await free.status(status=agent.WS_FULL)
        await dispatch(lk_api, room_name, agent_name)
        await full.accept(await full.offered_job())

    async def test_a_worker_at_full_load_is_not_asked(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        loaded, free = await worker(agent_name), await worker(agent_name)
        await loaded.status(load=1.0)
        for _ in range(5):
            await dispatch(lk_api, room_name, agent_name)
            await free.accept(await free.offered_job())
        assert await loaded.nothing_waits()

    async def test_with_every_worker_above_the_target_load_a_job_is_dropped(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        busy, free = await worker(agent_name), await worker("free-" + agent_name)
        await busy.status(load=0.7)
        await dispatch(lk_api, room_name, agent_name)
        await dispatch(lk_api, room_name, "free-" + agent_name)
        await free.offered_job()  # Whoever was to be offered the first job, was before this one.
        assert await busy.nothing_waits()
        await busy.status(load=0.69)
        # Dropped jobs do not come back: the first offer is of the second dispatch.
        second = await dispatch(lk_api, room_name, agent_name)
        assert (await busy.offered_job()).dispatch_id == second.id

    async def test_jobs_are_spread_by_free_capacity(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        busy, free = await worker(agent_name), await worker(agent_name)
        await busy.status(load=0.9)
        await free.status(load=0.1)
        taken = {busy: 0, free: 0}

        async def serve(each: RawWorker) -> None:
            while True:
                await each.accept(await each.offered_job())
                taken[each] += 1
                if sum(taken.values()) == 30:
                    return

        servers = [asyncio.create_task(serve(each)) for each in taken]
        for _ in range(30):
            await dispatch(lk_api, room_name, agent_name)
        _, waiting = await asyncio.wait(servers, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        for server in waiting:
            server.cancel()
        await asyncio.wait(servers)
        assert taken[busy] + taken[free] == 30
        # Expected 3 of 30; 15 or more happen once in ten million runs.
        assert taken[busy] < 15


class TestEnd:
    async def test_deleting_the_dispatch_terminates_its_job(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        registered = await worker(agent_name)
        created = await dispatch(lk_api, room_name, agent_name)
        job = await registered.offered_job()
        await registered.accept(job)
        await one_job(lk_api, room_name, created.id)
        await lk_api.agent_dispatch.delete_dispatch(created.id, room_name)
        assert await registered.terminated_job() == job.id

    @pytest.mark.parametrize("status", [agent.JS_SUCCESS, agent.JS_FAILED])
    async def test_a_job_that_has_ended_is_not_terminated(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        room_name: str,
        agent_name: str,
        status: agent.JobStatus,
    ) -> None:
        registered = await worker(agent_name)
        ended, running = [await dispatch(lk_api, room_name, agent_name) for _ in range(2)]
        jobs: dict[str, agent.Job] = {}
        for _ in range(2):
            job = await registered.offered_job()
            jobs[job.dispatch_id] = job
            await registered.accept(job, identity=job.dispatch_id)
        for created in (ended, running):
            await one_job(lk_api, room_name, created.id)
        await registered.report(jobs[ended.id], status, "why")
        await lk_api.agent_dispatch.delete_dispatch(ended.id, room_name)
        await lk_api.agent_dispatch.delete_dispatch(running.id, room_name)
        assert await registered.terminated_job() == jobs[running.id].id

    async def test_an_agent_that_leaves_the_room_has_its_job_terminated(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name)
        created = await dispatch(lk_api, room_name, agent_name)
        job = await registered.offered_job()
        assignment = await registered.accept(job)
        await one_job(lk_api, room_name, created.id)
        agent_in_room = await join("", token=assignment.token)
        await agent_in_room.disconnect()
        assert await registered.terminated_job() == job.id

    async def test_deleting_the_room_terminates_the_jobs_of_its_agents(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name)
        created = await dispatch(lk_api, room_name, agent_name)
        job = await registered.offered_job()
        assignment = await registered.accept(job)
        await one_job(lk_api, room_name, created.id)
        await join("", token=assignment.token)
        await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
        assert await registered.terminated_job() == job.id

    async def test_an_agent_that_replaces_its_namesake_loses_its_own_job(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        # The server keeps one job for each identity, the last, and ends it when one of that
        # identity leaves: the first agent, which the second drives out.
        registered = await worker(agent_name)
        jobs: list[str] = []
        for _ in range(2):
            created = await dispatch(lk_api, room_name, agent_name)
            job = await registered.offered_job()
            assignment = await registered.accept(job, identity="agent")
            jobs.append((await one_job(lk_api, room_name, created.id)).id)
            await join("", token=assignment.token)
        assert await registered.terminated_job() == jobs[1]
        assert await registered.nothing_waits()

    async def test_the_jobs_of_a_dead_worker_are_not_given_to_others(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        first = await worker(agent_name)
        lost = await dispatch(lk_api, room_name, agent_name)
        await first.accept(await first.offered_job())
        await one_job(lk_api, room_name, lost.id)
        other = await worker(agent_name)
        await first.socket.close()
        # The first offer is of the second dispatch: the lost job never was one.
        second = await dispatch(lk_api, room_name, agent_name)
        assert (await other.offered_job()).dispatch_id == second.id
        state = await dispatch_state(lk_api, room_name, lost.id)
        assert [job.state.worker_id for job in state.jobs] == [first.worker_id]


async def first_offer(
    workers: list[RawWorker], offers: list[asyncio.Task[agent.Job]], asked: list[RawWorker]
) -> tuple[RawWorker, agent.Job]:
    """The worker, not `asked` before, that is offered a job first, and the job."""
    waiting = {offer: w for w, offer in zip(workers, offers, strict=True) if w not in asked}
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=5)
    [offer] = done
    return waiting[offer], offer.result()
