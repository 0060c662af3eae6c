"""Dispatches: automatic, by token, by CreateRoom and by API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit import api
from livekit.protocol import agent, models

from tests.devserver.dispatches import accepted_job, dispatch, dispatch_state, one_job
from tests.devserver.published_media import tone
from tests.devserver.room_events import RoomEvents

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.devserver.raw_worker import ConnectWorker
    from tests.room_server import RoomServerUnderTest


def joining_with_agents(
    server: RoomServerUnderTest, room: str, *agents: api.RoomAgentDispatch
) -> str:
    token = server.access_token("someone", room)
    return token.with_room_config(api.RoomConfiguration(agents=list(agents))).to_jwt()


class TestAutomatic:
    async def test_a_worker_without_a_name_is_offered_every_new_room(
        self, worker: ConnectWorker, join: Join, lk_api: api.LiveKitAPI, room_name: str
    ) -> None:
        nameless = await worker("")
        await join("someone")
        job = await nameless.offered_job()
        assert (job.room.name, job.agent_name, job.metadata) == (room_name, "", "")
        [automatic] = await lk_api.agent_dispatch.list_dispatch(room_name)
        assert (automatic.id, automatic.agent_name) == (job.dispatch_id, "")
        await join("someone else")
        assert await nameless.nothing_waits()

    async def test_a_room_with_named_agents_gets_no_other(
        self,
        room_server: RoomServerUnderTest,
        worker: ConnectWorker,
        join: Join,
        lk_api: api.LiveKitAPI,
        room_name: str,
        agent_name: str,
    ) -> None:
        nameless, named = await worker(""), await worker(agent_name)
        token = joining_with_agents(
            room_server, room_name, api.RoomAgentDispatch(agent_name=agent_name)
        )
        await join("someone", token=token)
        await named.accept(await named.offered_job())
        assert await nameless.nothing_waits()
        assert [d.agent_name for d in await lk_api.agent_dispatch.list_dispatch(room_name)] == [
            agent_name
        ]

    async def test_a_named_worker_waits_to_be_called(
        self, worker: ConnectWorker, join: Join, agent_name: str
    ) -> None:
        nameless, named = await worker(""), await worker(agent_name)
        await join("someone")
        await nameless.offered_job()
        assert await named.nothing_waits()

    async def test_a_worker_that_comes_later_is_not_offered_rooms_that_exist(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        await join("someone")
        missed = await dispatch(lk_api, room_name, agent_name)
        late = await worker(agent_name)
        caught = await dispatch(lk_api, room_name, agent_name)
        assert (await late.offered_job()).dispatch_id == caught.id
        assert not (await dispatch_state(lk_api, room_name, missed.id)).jobs


class TestByToken:
    async def test_each_agent_of_the_token_gets_its_metadata(
        self,
        room_server: RoomServerUnderTest,
        worker: ConnectWorker,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        first, second = await worker(agent_name + "-1"), await worker(agent_name + "-2")
        token = joining_with_agents(
            room_server,
            room_name,
            api.RoomAgentDispatch(agent_name=agent_name + "-1", metadata="for the first"),
            api.RoomAgentDispatch(
                agent_name=agent_name + "-2",
                metadata="for the second",
                attributes={"key": "value"},
            ),
        )
        await join("someone", token=token)
        of_first, of_second = await first.offered_job(), await second.offered_job()
        assert of_first.metadata == "for the first"
        assert of_second.metadata == "for the second"
        assert dict(of_second.attributes) == {"key": "value"}
        assert of_first.id != of_second.id

    async def test_a_token_brings_no_agents_to_a_room_that_exists(
        self,
        room_server: RoomServerUnderTest,
        join: Join,
        lk_api: api.LiveKitAPI,
        room_name: str,
        agent_name: str,
    ) -> None:
        await join("first")
        token = joining_with_agents(
            room_server, room_name, api.RoomAgentDispatch(agent_name=agent_name)
        )
        await join("second", token=token)
        assert [d.agent_name for d in await lk_api.agent_dispatch.list_dispatch(room_name)] == [""]


class TestByCreateRoom:
    async def test_a_created_room_has_its_agents_before_anybody_joins(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        registered = await worker(agent_name)
        await lk_api.room.create_room(
            api.CreateRoomRequest(
                name=room_name,
                agents=[api.RoomAgentDispatch(agent_name=agent_name, metadata="created")],
            )
        )
        job = await registered.offered_job()
        assert (job.room.name, job.metadata) == (room_name, "created")


class TestByApi:
    async def test_a_dispatch_begins_a_room_that_does_not_exist(
        self, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        created = await dispatch(lk_api, room_name, agent_name, "about it")
        assert created.id.startswith("AD_")
        assert (created.room, created.agent_name) == (room_name, agent_name)
        assert created.metadata == "about it"
        assert created.state.created_at > 1_700_000_000 * 10**9
        assert not created.state.jobs
        rooms = await lk_api.room.list_rooms(api.ListRoomsRequest(names=[room_name]))
        assert [room.name for room in rooms.rooms] == [room_name]
        # The room itself sends for the nameless agents, as every room does.
        listed = await lk_api.agent_dispatch.list_dispatch(room_name)
        assert sorted(d.agent_name for d in listed) == ["", agent_name]

    async def test_a_dispatch_lists_the_job_it_led_to(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        registered = await worker(agent_name)
        created = await dispatch(lk_api, room_name, agent_name)
        offered = await registered.offered_job()
        await registered.accept(offered, "helper")
        job = await one_job(lk_api, room_name, created.id)
        assert (job.id, job.dispatch_id) == (offered.id, created.id)
        assert job.state.status == agent.JS_RUNNING
        assert job.state.participant_identity == "helper"
        assert job.state.worker_id == registered.worker_id

    async def test_deleting_a_dispatch_forgets_it(
        self, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        created = await dispatch(lk_api, room_name, agent_name)
        deleted = await lk_api.agent_dispatch.delete_dispatch(created.id, room_name)
        assert deleted.id == created.id
        assert await lk_api.agent_dispatch.get_dispatch(created.id, room_name) is None
        with pytest.raises(api.TwirpError) as caught:
            await lk_api.agent_dispatch.delete_dispatch(created.id, room_name)
        assert (caught.value.status, caught.value.code, caught.value.message) == (
            404,
            "not_found",
            "twirp error unknown: dispatch ID not found",
        )

    async def test_deleting_a_dispatch_removes_an_agent_that_does_not_go(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name)
        job, token = await accepted_job(registered, lk_api, room_name, agent_name)
        agent_in_room = await join("", token=token)
        told = RoomEvents(agent_in_room, "disconnected")
        await lk_api.agent_dispatch.delete_dispatch(job.dispatch_id, room_name)
        assert await registered.terminated_job() == job.id
        assert await told.next("disconnected") == (models.DisconnectReason.PARTICIPANT_REMOVED,)


class TestKeys:
    """The workers of a dispatch: agent name, namespace, deployment and kind of job."""

    async def test_each_namespace_gets_a_job_of_its_own(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        blue = await worker(agent_name, namespace=f"blue-{room_name}")
        green = await worker(agent_name, namespace=f"green-{room_name}")
        await dispatch(lk_api, room_name, agent_name)
        jobs = [await blue.offered_job(), await green.offered_job()]
        assert [job.namespace for job in jobs] == [f"blue-{room_name}", f"green-{room_name}"]
        assert jobs[0].id != jobs[1].id

    async def test_a_deployment_is_dispatched_by_its_name(
        self, worker: ConnectWorker, lk_api: api.LiveKitAPI, room_name: str, agent_name: str
    ) -> None:
        plain, canary = await worker(agent_name), await worker(agent_name, deployment="canary")
        await lk_api.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(
                room=room_name, agent_name=agent_name, deployment="canary"
            )
        )
        assert (await canary.offered_job()).deployment == "canary"
        assert await plain.nothing_waits()

    async def test_a_participant_worker_is_offered_each_participant(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name, job_type=agent.JT_PARTICIPANT)
        await join("early")
        await dispatch(lk_api, room_name, agent_name)
        of_early = await registered.offered_job()
        assert (of_early.type, of_early.participant.identity) == (agent.JT_PARTICIPANT, "early")
        assignment = await registered.accept(of_early)
        await join("", token=assignment.token)
        await join("late")
        # The agent itself, which joined in between, is not somebody to serve.
        assert (await registered.offered_job()).participant.identity == "late"

    async def test_a_publisher_worker_is_offered_every_publisher(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name, job_type=agent.JT_PUBLISHER)
        speaker = await join("speaker")
        await dispatch(lk_api, room_name, agent_name)
        async with tone(speaker, 440):
            job = await registered.offered_job()
        assert (job.type, job.participant.identity) == (agent.JT_PUBLISHER, "speaker")
        assert [t.name for t in job.participant.tracks] == ["tone-440"]
