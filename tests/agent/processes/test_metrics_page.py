"""`/metrics` of a supervisor: what all of its processes have counted, whatever becomes of them."""

from __future__ import annotations

import os
import re
import signal

from tests.agent.cli.command_line import HANDED_OVER, CommandLine, RunningCommand
from tests.agent.processes.conftest import Supervise
from tests.agent.processes.test_supervisor import asked, pids


async def metrics(running: RunningCommand) -> dict[str, float]:
    """By name with labels; none are asked for again within a second."""
    status, text = await asked(running, "/metrics")
    assert status == 200
    return {name: float(value) for name, value in re.findall(r"^(room_\S+) (\S+)$", text, re.M)}


async def until(running: RunningCommand, name: str, value: float) -> dict[str, float]:
    """As soon as a metric has this value. The page announces nothing: it is asked again."""
    while (found := await metrics(running)).get(name) != value:
        pass
    return found


async def test_processes_are_counted_together(supervise: Supervise) -> None:
    async with supervise("steady") as running:
        await pids(running, 2)
        found = await metrics(running)
        assert found['room_agent_messages_total{form="stream"}'] == 6
        assert found["room_agent_questions_waiting"] == 2
        assert found['room_agent_process_up{process="1"}'] == 1
        assert found['room_agent_process_rooms{process="0"}'] == 3
        assert found['room_agent_process_memory_bytes{process="0"}'] > 2**20
        assert found['room_agent_restarts_total{reason="exit"}'] == 0


async def test_counts_of_a_dead_process_are_kept(supervise: Supervise) -> None:
    async with supervise("steady") as running:
        first, _ = await pids(running, 2)
        os.kill(first, signal.SIGKILL)
        await pids(running, 3)
        found = await until(running, 'room_agent_messages_total{form="stream"}', 9)
        assert found["room_agent_questions_waiting"] == 2
        assert found['room_agent_restarts_total{reason="exit"}'] == 1


async def test_a_stuck_process_is_counted_as_one(supervise: Supervise) -> None:
    async with supervise("silent") as running:
        for each in await pids(running, 2):
            os.kill(each, signal.SIGUSR1)
        await pids(running, 4)
        found = await until(running, 'room_agent_restarts_total{reason="stuck"}', 2)
        assert found['room_agent_messages_total{form="stream"}'] == 12


async def test_a_process_that_grew_is_counted_with_its_reason(supervise: Supervise) -> None:
    async with supervise("growing") as running:
        (first,) = await pids(running, 1)
        os.kill(first, signal.SIGUSR1)
        await pids(running, 1, "drained")
        found = await until(running, 'room_agent_restarts_total{reason="memory"}', 1)
        assert found['room_agent_messages_total{form="stream"}'] >= 6


async def test_a_small_supervisor_goes_on_counting(supervised: CommandLine) -> None:
    """The counts of a process that ended before are handed over."""
    async with supervised.running("steady", "asked-meanwhile") as running:
        await running.says("waits to be asked")
        await asked(running, "/")
        await running.says(HANDED_OVER)
        assert (await metrics(running))['room_agent_messages_total{form="stream"}'] == 6
