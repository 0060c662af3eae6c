"""A job that was accepted is started, also where livekit-agents gives it up at first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from livekit.agents.ipc import proc_pool
from livekit.agents.job import JobAcceptArguments, RunningJobInfo
from livekit.protocol import agent as protocol

from agent import job_pool
from agent.job_pool import PAUSES, JobPool
from tests.agent.conftest import StartWorker

GIVEN_UP = "no process became available after 3 attempts"


def a_job() -> RunningJobInfo:
    return RunningJobInfo(
        accept_arguments=JobAcceptArguments(name="", identity="agent", metadata=""),
        job=protocol.Job(id="AJ_1"),
        url="",
        token="",
        worker_id="",
        fake_job=True,
    )


@pytest.fixture
def gives_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Has livekit-agents give up so many jobs; returns a list of those that it starts then."""
    monkeypatch.setattr(job_pool, "PAUSES", (0.0,) * len(PAUSES))

    def give_up(times: int) -> list[str]:
        started: list[str] = []
        left = times

        async def launch_job(_: object, info: RunningJobInfo) -> None:
            nonlocal left
            await asyncio.sleep(0)
            if left:
                left -= 1
                raise RuntimeError(GIVEN_UP)
            started.append(info.job.id)

        monkeypatch.setattr(JobPool.__mro__[1], "launch_job", launch_job)
        return started

    return give_up


@pytest.mark.parametrize("times", [0, 1, len(PAUSES)])
async def test_it_is_started_once(gives_up: Callable[[int], list[str]], times: int) -> None:
    started = gives_up(times)
    await object.__new__(JobPool).launch_job(a_job())
    assert started == ["AJ_1"]


async def test_it_is_not_tried_for_ever(gives_up: Callable[[int], list[str]]) -> None:
    gives_up(len(PAUSES) + 1)
    with pytest.raises(RuntimeError, match=GIVEN_UP):
        await object.__new__(JobPool).launch_job(a_job())


async def test_a_worker_has_one(start_worker: StartWorker) -> None:
    await start_worker()
    assert proc_pool.ProcPool is JobPool
