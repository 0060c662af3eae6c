"""Jobs go from one worker process to the next as AgentServer's own reloading has them."""

from __future__ import annotations

import inspect
from typing import cast

from livekit.agents import AgentServer
from livekit.agents.job import JobAcceptArguments, RunningJobInfo
from livekit.protocol import agent as protocol
from livekit.protocol import models

from agent.sdk.job_handover import go_on_with, running_jobs


class Server:
    """The attributes of AgentServer that are used."""

    def __init__(self, *jobs: RunningJobInfo) -> None:
        self.active_jobs = list(jobs)
        self.reloaded: list[RunningJobInfo] = []

    async def _reload_jobs(self, jobs: list[RunningJobInfo]) -> None:
        self.reloaded += jobs


async def test_a_job_arrives_as_it_was() -> None:
    info = RunningJobInfo(
        accept_arguments=JobAcceptArguments("Agent", "agent", "", {"lk.agent.state": "listening"}),
        job=protocol.Job(id="AJ_1", room=models.Room(name="demo", sid="RM_1"), metadata="{}"),
        url="ws://127.0.0.1:1",
        token="of the job",  # noqa: S106 - no secret
        worker_id="AW_1",
        fake_job=False,
    )
    former, successor = Server(info), Server()
    jobs = running_jobs(cast("AgentServer", former))
    assert "\n" not in jobs
    assert await go_on_with(cast("AgentServer", successor), jobs) == 1
    assert successor.reloaded == [info]


def test_agent_servers_have_what_is_used() -> None:
    assert isinstance(inspect.getattr_static(AgentServer, "active_jobs"), property)
    reload = inspect.getattr_static(AgentServer, "_reload_jobs")
    assert inspect.iscoroutinefunction(reload)
    assert list(inspect.signature(reload).parameters) == ["self", "jobs"]
