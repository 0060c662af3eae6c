"""The parts of livekit-agents that agent.sdk.room_job relies on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from livekit import rtc
from livekit.agents import get_job_context
from livekit.agents.testing import fake_job_context

from agent.sdk import room_job
from agent.sdk.room_job import Employment, RoomJob


class Executor:
    """Answers with the thread that it is asked in."""

    async def do_inference(self, method: str, data: bytes) -> bytes | None:
        return threading.current_thread().name.encode() + b" " + method.encode() + data


@pytest.fixture
def job_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="job")
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@contextmanager
def employed(loop: asyncio.AbstractEventLoop) -> Generator[Employment]:
    with fake_job_context(job_metadata="{}", inference_executor=Executor()) as job:
        yield Employment(job, loop)
        job._tempdir.cleanup()  # pyright: ignore[reportPrivateUsage] - nobody else does


async def test_it_is_found_where_it_is_current_and_in_tasks_of_its_context(
    job_loop: asyncio.AbstractEventLoop,
) -> None:
    with employed(job_loop) as employment:
        outer = get_job_context()
        job = RoomJob(employment, rtc.Room(), None)
        with job.current():
            assert get_job_context() is job
            await job.connect()
        assert get_job_context() is outer
        found = asyncio.create_task(_find(), context=job.context())
        assert await found is job
        assert job.proc is employment.job.proc
        assert job.job.metadata == "{}"
        answer = await job.inference_executor.do_inference("turn", b" 1")
        assert answer == b"job turn 1"
        directory = job.session_directory
        assert directory.is_dir()
        await job.aclose()
        assert not directory.exists()


async def _find() -> object:
    return get_job_context()


async def test_its_end_calls_back_within_it_and_in_time(
    job_loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(room_job, "SHUTDOWN_TIMEOUT", 0.05)
    told: list[object] = []

    async def note(reason: str) -> None:
        told.append((reason, get_job_context()))

    async def fail() -> None:
        raise RuntimeError("on purpose")

    async def hang() -> None:
        await asyncio.Event().wait()

    with employed(job_loop) as employment:
        job = RoomJob(employment, rtc.Room(), lambda: told.append("stay"))
        for callback in (note, fail, hang):
            job.add_shutdown_callback(callback)
        job.shutdown("it is late")
        await job.aclose()
    assert told == ["stay", ("it is late", job)]
    assert "shutdown callback failed" in caplog.text
    assert "takes too long" in caplog.text


async def test_a_private_conversation_ends_neither_stay_nor_room(
    job_loop: asyncio.AbstractEventLoop,
) -> None:
    with employed(job_loop) as employment:
        job = RoomJob(employment, rtc.Room(), None)
        job.shutdown("bye")
        await job.delete_room()
        await job.aclose()
