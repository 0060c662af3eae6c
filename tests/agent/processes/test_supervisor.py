"""A supervisor with processes that work, fail, grow and do not end."""

from __future__ import annotations

import os
import re
import signal

import aiohttp
import psutil

from tests.agent.cli.command_line import RunningCommand
from tests.agent.processes.conftest import Supervise


async def pids(running: RunningCommand, how_many: int, what: str = "started") -> list[int]:
    """The PIDs of the first processes that print this."""
    while len(found := re.findall(rf"^{what} (\d+)$", running.output, re.M)) < how_many:
        await running.reads()
    return [int(pid) for pid in found]


async def asked(running: RunningCommand, path: str) -> tuple[int, str]:
    port = re.search(r"health on port (\d+)", await running.says("health on port"))
    assert port is not None
    url = f"http://127.0.0.1:{port[1]}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_all_drain_together(supervise: Supervise) -> None:
    async with supervise("steady") as running:
        started = await pids(running, 2)
        assert await running.stop(signal.SIGTERM) == 0
        assert sorted(await pids(running, 2, "drained")) == sorted(started)


async def test_health_is_that_of_all_processes(supervise: Supervise) -> None:
    async with supervise("steady") as running:
        await pids(running, 2)
        assert await asked(running, "/") == (200, "2 of 2 worker processes registered\n")
        assert '"active_jobs": 6' in (await asked(running, "/worker"))[1]
        assert (await asked(running, "/elsewhere"))[0] == 404
        assert await running.stop() == 0


async def test_workers_have_none_of_the_supervisors_sockets(supervise: Supervise) -> None:
    async with supervise("steady") as running:
        for pid in await pids(running, 2):
            assert psutil.Process(pid).net_connections("all") == []
        assert (await asked(running, "/"))[0] == 200
        assert await running.stop() == 0


async def test_health_is_503_without_a_registered_process(supervise: Supervise) -> None:
    async with supervise("unregistered") as running:
        await pids(running, 2)
        assert await asked(running, "/") == (503, "0 of 2 worker processes registered\n")


async def test_one_that_is_killed_is_started_again(supervise: Supervise) -> None:
    async with supervise("steady") as running:
        first, second = await pids(running, 2)
        os.kill(first, signal.SIGKILL)
        third = (await pids(running, 3))[2]
        assert third not in {first, second}
        assert f"worker process {first} was ended by SIGKILL" in running.output
        assert await running.stop() == 0


async def test_those_that_are_stopped_are_killed_and_replaced(supervise: Supervise) -> None:
    async with supervise("steady") as running:
        first, second = await pids(running, 2)
        os.kill(first, signal.SIGSTOP)
        await running.says(f"worker process {first} does not respond")
        status, text = await asked(running, "/")
        assert status == 503
        assert f"process {first}: its rooms loop has not run for" in text
        await pids(running, 3)
        assert f"worker process {first} is stuck (its rooms loop has not run" in running.output
        assert f"worker process {second} is stuck" not in running.output
        assert await running.stop() == 0


async def test_those_whose_loops_are_silent_are_killed_and_replaced(supervise: Supervise) -> None:
    async with supervise("silent") as running:
        stuck = await pids(running, 2)
        for pid in stuck:
            os.kill(pid, signal.SIGUSR1)
        assert not set(stuck) & set((await pids(running, 4))[2:])
        assert await running.stop() == 0


async def test_one_that_never_begins_is_killed_and_replaced(supervise: Supervise) -> None:
    async with supervise("never_begins") as running:
        # On a busy machine, more of them may be late.
        for pid in (await pids(running, 4))[:2]:
            assert f"{pid} is stuck (it has not started within 1 s)" in running.output
        assert await running.stop() == 0


async def test_silence_may_be_of_no_consequence(supervise: Supervise) -> None:
    """Health says it all the same."""
    async with supervise("unwatched") as running:
        first, _ = await pids(running, 2)
        os.kill(first, signal.SIGUSR1)
        await running.says(f"worker process {first} does not respond")
        assert (await asked(running, "/"))[0] == 503
        assert "is stuck" not in running.output


async def test_one_that_is_stuck_while_it_drains_is_killed(supervise: Supervise) -> None:
    async with supervise("silent") as running:
        await pids(running, 2)
        assert await running.stop() == 1
        assert running.output.count("is stuck") == 2
        assert len(await pids(running, 2)) == 2


async def test_one_that_was_replaced_and_does_not_end_is_killed(supervise: Supervise) -> None:
    async with supervise("replaced") as running:
        [first] = await pids(running, 1)
        os.kill(first, signal.SIGUSR1)
        await running.says(f"worker process {first} did not exit in time, killing it")
        await pids(running, 2)
        assert await running.stop() == 0


async def test_it_gives_up_when_none_lasts(supervise: Supervise) -> None:
    async with supervise("failing") as running:
        assert await running.ends() == 1
    assert "10 worker processes in a row failed to start, giving up" in running.output


async def test_it_gives_up_when_no_replacement_lasts(supervise: Supervise) -> None:
    async with supervise("failing_later") as running:
        first, second = await pids(running, 2)
        os.kill(first, signal.SIGKILL)
        assert await running.ends() == 1
        assert await pids(running, 1, "drained") == [second]
    assert "10 worker processes in a row failed to start, giving up" in running.output


async def test_one_that_grows_is_replaced_before_it_drains(supervise: Supervise) -> None:
    async with supervise("growing") as running:
        [first] = await pids(running, 1)
        os.kill(first, signal.SIGUSR1)
        _, successor = await pids(running, 2)
        assert await pids(running, 1, "drained") == [first]
        assert successor != first
        assert running.output.index("replacing it") < running.output.index("drained")
        assert await running.stop() == 0


async def test_one_that_is_ended_before_it_listens_has_not_failed(supervise: Supervise) -> None:
    async with supervise("unregistered") as running:
        await pids(running, 2)
        assert await running.stop() == 0


async def test_one_that_does_not_end_is_killed(supervise: Supervise) -> None:
    async with supervise("stubborn") as running:
        await pids(running, 2)
        assert await running.stop() == 1
    assert running.output.count("did not exit in time, killing it") == 2


async def test_no_process_outlives_a_killed_supervisor(supervise: Supervise) -> None:
    async with supervise("steady") as running:
        started = [psutil.Process(pid) for pid in await pids(running, 2)]
        await running.stop(signal.SIGKILL)
    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []
