"""Dispatches by API, and what became of them."""

from __future__ import annotations

import asyncio

from livekit import api
from livekit.protocol import agent

from tests.devserver.raw_worker import RawWorker

WITHIN = 20.0


async def dispatch(
    lk_api: api.LiveKitAPI, room: str, agent_name: str, metadata: str = ""
) -> api.AgentDispatch:
    """Sends for an agent; a room that does not exist begins to."""
    return await lk_api.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(room=room, agent_name=agent_name, metadata=metadata)
    )


async def dispatch_state(
    lk_api: api.LiveKitAPI, room: str, dispatch_id: str
) -> api.AgentDispatchState:
    """The state of a dispatch that exists."""
    found = await lk_api.agent_dispatch.get_dispatch(dispatch_id, room)
    assert found is not None
    return found.state


async def one_job(lk_api: api.LiveKitAPI, room: str, dispatch_id: str) -> api.Job:
    """The dispatch's job, once it has one.

    livekit-server counts it up to five seconds after the worker has its assignment (that long it
    asks who else might serve, pkg/agent/client.go); nothing but asking tells.
    """
    async with asyncio.timeout(WITHIN):
        while not (jobs := (await dispatch_state(lk_api, room, dispatch_id)).jobs):  # noqa: ASYNC110  # only asking tells
            await asyncio.sleep(0.05)
    [job] = jobs
    return job


async def accepted_job(
    worker: RawWorker, lk_api: api.LiveKitAPI, room: str, agent_name: str
) -> tuple[agent.Job, str]:
    """Dispatches an agent, and returns its job and token once the worker's acceptance counts."""
    created = await dispatch(lk_api, room, agent_name)
    job = await worker.offered_job()
    assignment = await worker.accept(job)
    await one_job(lk_api, room, created.id)
    return job, assignment.token
