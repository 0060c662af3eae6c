"""Assignment of jobs, and their ends: refusal, load, termination, and a worker's death."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import api
from livekit.protocol import agent

from tests.devserver.dispatches import accepted_job, dispatch, dispatch_state, one_job

if TYPE_CHECKING:
    from tests.conftest import Join
    from tests.devserver.raw_worker import ConnectWorker, RawWorker


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
        # The first job was offered before this one, if at all.
        await free.offered_job()
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
        job, _ = await accepted_job(registered, lk_api, room_name, agent_name)
        await lk_api.agent_dispatch.delete_dispatch(job.dispatch_id, room_name)
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
        job, token = await accepted_job(registered, lk_api, room_name, agent_name)
        agent_in_room = await join("", token=token)
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
        job, token = await accepted_job(registered, lk_api, room_name, agent_name)
        await join("", token=token)
        await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
        assert await registered.terminated_job() == job.id

    async def test_one_job_of_two_agents_with_one_identity_is_terminated(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name)
        jobs: list[str] = []
        for _ in range(2):
            created = await dispatch(lk_api, room_name, agent_name)
            job = await registered.offered_job()
            assignment = await registered.accept(job, identity="agent")
            jobs.append((await one_job(lk_api, room_name, created.id)).id)
            await join("", token=assignment.token)
        # livekit-server ends the job that it counted last for the identity, here the second one's
        # own; the embedded server that of the agent which was driven out.
        assert await registered.terminated_job() in jobs
        assert await registered.nothing_waits()

    async def test_an_agent_that_joins_again_has_its_job_terminated(
        self,
        worker: ConnectWorker,
        lk_api: api.LiveKitAPI,
        join: Join,
        room_name: str,
        agent_name: str,
    ) -> None:
        registered = await worker(agent_name)
        job, token = await accepted_job(registered, lk_api, room_name, agent_name)
        for _ in range(2):
            await join("", token=token)
        assert await registered.terminated_job() == job.id

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
