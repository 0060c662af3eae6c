"""A small process takes over the supervision, and everything is kept."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil

from tests.agent.cli.command_line import HANDED_OVER, CommandLine
from tests.agent.processes.test_supervisor import asked, pids


def open_files(pid: int) -> list[tuple[str, int]]:
    """The open files of a process: their names, and the numbers of their inodes."""
    descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    return [(os.readlink(each), each.stat().st_ino) for each in descriptors]


async def test_the_process_and_its_workers_stay(supervised: CommandLine) -> None:
    async with supervised.running("steady", "hands-over") as running:
        started = await pids(running, 2)
        await running.says(HANDED_OVER)
        supervisor = psutil.Process(running.process.pid)
        assert "agent.processes.handover" in supervisor.cmdline()
        assert sorted(child.pid for child in supervisor.children()) == sorted(started)
        assert await asked(running, "/") == (200, "2 of 2 worker processes registered\n")
        assert '"active_jobs": 6' in (await asked(running, "/worker"))[1]


async def test_a_replacement_is_a_program_of_its_own(supervised: CommandLine) -> None:
    async with supervised.running("steady", "hands-over") as running:
        first, _ = await pids(running, 2)
        await running.says(HANDED_OVER)
        os.kill(first, signal.SIGKILL)
        third = psutil.Process((await pids(running, 3))[2])
        assert third.cmdline()[1:4] == ["-m", "tests.agent.processes.supervised", "steady"]
        # Of its supervisor's open files, it gets only its report.
        opened = open_files(third.pid)
        assert len({inode for name, inode in opened if "memfd:report" in name}) == 1
        assert not [name for name, _ in opened if name.startswith("socket:")]


async def test_a_signal_that_comes_meanwhile_is_heeded(supervised: CommandLine) -> None:
    async with supervised.running("steady", "told-meanwhile") as running:
        assert await running.ends() == 0
        assert HANDED_OVER in running.output
        assert sorted(await pids(running, 2, "drained")) == sorted(await pids(running, 2))


async def test_health_requests_are_answered_meanwhile(supervised: CommandLine) -> None:
    async with supervised.running("steady", "asked-meanwhile") as running:
        await running.says("waits to be asked")
        assert await asked(running, "/") == (200, "2 of 2 worker processes registered\n")
        assert HANDED_OVER in await running.says(HANDED_OVER)


async def test_it_goes_on_where_it_cannot_hand_over(supervised: CommandLine) -> None:
    async with supervised.running("steady", "cannot-hand-over") as running:
        await running.says(
            "handing over to a small supervisor failed; this process keeps supervising"
        )
        first, second = await pids(running, 2)
        os.kill(first, signal.SIGKILL)
        third = (await pids(running, 3))[2]
        assert await running.stop() == 0
        assert sorted(await pids(running, 2, "drained")) == sorted([second, third])
    assert HANDED_OVER not in running.output
