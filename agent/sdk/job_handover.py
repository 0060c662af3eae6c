"""Hands jobs from one worker process to the next, when `dev` reloads an app.

AgentServer does that for its own reloading (`_reload_jobs`, livekit/agents/worker.py): it joins the
room of a job again, with the job's own token, signed again. All code that relies on it is here;
tests/agent/sdk/test_job_handover.py checks it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from livekit.agents.job import JobAcceptArguments, RunningJobInfo
from livekit.protocol import agent

if TYPE_CHECKING:
    from livekit.agents import AgentServer


def running_jobs(server: AgentServer) -> str:
    """The jobs of a worker on one line, with their tokens."""
    return json.dumps(
        [
            {
                "job": base64.b64encode(info.job.SerializeToString()).decode(),
                "accepted": asdict(info.accept_arguments),
                "url": info.url,
                "token": info.token,
                "worker_id": info.worker_id,
                "fake_job": info.fake_job,
            }
            for info in server.active_jobs
        ]
    )


async def go_on_with(server: AgentServer, jobs: str) -> int:
    """Joins the rooms of these jobs; returns their number. The worker must be registered."""
    infos = [
        RunningJobInfo(
            accept_arguments=JobAcceptArguments(**each["accepted"]),
            job=agent.Job.FromString(base64.b64decode(each["job"])),
            url=each["url"],
            token=each["token"],
            worker_id=each["worker_id"],
            fake_job=each["fake_job"],
        )
        for each in json.loads(jobs)
    ]
    await server._reload_jobs(infos)  # pyright: ignore[reportPrivateUsage]
    return len(infos)
