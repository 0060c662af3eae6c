"""A job that was accepted is started, also where livekit-agents gives it up at first."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncGenerator, Callable

import pytest
from livekit.agents import JobContext, JobExecutorType, JobProcess
from livekit.agents.ipc import proc_pool
from livekit.agents.ipc.job_executor import JobExecutor
from livekit.agents.ipc.job_thread_executor import ThreadJobExecutor
from livekit.agents.job import JobAcceptArguments, RunningJobInfo
from livekit.protocol import agent as protocol

from agent.sdk import job_pool
from agent.sdk.job_pool import PAUSES, PINGS, JobPool
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
    """Makes livekit-agents give up so many jobs; returns a list of those that it starts then."""
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
    await start_worker(SDK_PATCHES="on")
    assert proc_pool.ProcPool is JobPool


def a_pool() -> JobPool:
    """With one place that is kept ready, for jobs that end at once."""
    return JobPool(
        initialize_process_fnc=_initialize,
        job_entrypoint_fnc=_nothing,
        session_end_fnc=None,
        simulation_end_fnc=None,
        num_idle_processes=1,
        initialize_timeout=10.0,
        close_timeout=10.0,
        session_end_timeout=10.0,
        inference_executor=None,
        job_executor_type=JobExecutorType.THREAD,
        mp_ctx=multiprocessing.get_context("spawn"),
        memory_warn_mb=0,
        memory_limit_mb=0,
        http_proxy=None,
        loop=asyncio.get_running_loop(),
    )


@pytest.fixture
async def pool() -> AsyncGenerator[JobPool]:
    pool = a_pool()
    await pool.start()
    yield pool
    await pool.aclose()
    assert pool.processes == []


def _initialize(_: JobProcess) -> None: ...


async def _nothing(_: JobContext) -> None: ...


async def test_a_place_that_was_taken_is_made_again(pool: JobPool) -> None:
    ready = asyncio.Queue[JobExecutor]()
    pool.on("process_ready", ready.put_nowait)
    async with asyncio.timeout(20):
        for _ in range(3):
            before = set(pool.processes)
            await pool.launch_job(a_job())
            assert await ready.get() not in before


@pytest.mark.parametrize("turns", range(0, 12, 2))
async def test_it_ends_while_a_place_is_being_made(turns: int) -> None:
    """However far that has come: livekit-agents' own waits for ever at some of these."""
    pool = a_pool()
    starting = asyncio.create_task(pool.start())
    for _ in range(turns + 2):
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await pool.aclose()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    assert pool.processes == []


async def test_threads_that_wait_are_asked_rarely(pool: JobPool) -> None:
    (place,) = pool.processes
    assert isinstance(place, ThreadJobExecutor)
    assert place._opts.ping_interval == PINGS  # pyright: ignore[reportPrivateUsage]
