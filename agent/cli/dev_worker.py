"""The worker as `dev` runs it, in a process of its own: `python -m agent.cli.dev_worker`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.processes.parent import end_with_parent
from agent.processes.process_end import run_and_end
from agent.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAVE: Final = "leave"
"""A line of standard input: report the current jobs; the process is stopped after that."""


def main(arguments: Sequence[str]) -> int:
    """Runs the worker; arguments are the parent's process id, a file descriptor, a log level.

    When the worker is registered with the room server and the resources that its rooms share are
    open, it writes a line of JSON to the descriptor: the files of the app. Standard input carries
    a line LEAVE, or the jobs to take over. A worker that is to leave writes its jobs as another
    line.
    """
    parent, descriptor, log_level = int(arguments[0]), int(arguments[1]), arguments[2]
    end_with_parent(parent)
    from agent.processes.worker_run import run_worker  # noqa: PLC0415 - takes seconds; be bound first

    tasks = Tasks()
    told = False

    async def tell() -> None:
        from agent.worker import host  # noqa: PLC0415 - as above; it is loaded by now

        # Its log lines come before those of `dev`.
        await host.until_open()
        _write(descriptor, json.dumps(app_files()))
        loop = asyncio.get_running_loop()
        threading.Thread(target=_heed, args=(descriptor, loop), daemon=True).start()

    def registered() -> None:
        nonlocal told
        if not told:
            tasks.start(tell(), name="tell that the worker is ready")
        told = True

    return 0 if run_worker(log_level, dev=True, on_registered=registered) else 1


def app_files() -> list[str]:
    """The files of the app that have been imported."""
    from agent import default_app, worker  # noqa: PLC0415 - imported by now

    root = default_app.root_of(worker.settings.app)
    libraries = (Path(sys.prefix), Path(sys.base_prefix))
    files = {
        Path(file).resolve()
        for module in tuple(sys.modules.values())
        if (file := getattr(module, "__file__", None))
    }
    return sorted(
        str(file)
        for file in files
        if file.is_relative_to(root) and not any(map(file.is_relative_to, libraries))
    )


def _heed(descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
    """Follows the commands of `dev`, in a thread of its own, until the input ends."""
    from agent.sdk.job_handover import go_on_with, running_jobs  # noqa: PLC0415 - as above
    from agent.worker import server  # noqa: PLC0415 - as above

    for line in sys.stdin:
        if line.strip() == LEAVE:
            loop.call_soon_threadsafe(lambda: _write(descriptor, running_jobs(server)))
        else:
            asyncio.run_coroutine_threadsafe(go_on_with(server, line), loop).result()


def _write(descriptor: int, line: str) -> None:
    os.write(descriptor, line.encode() + b"\n")


if __name__ == "__main__":
    run_and_end(lambda: main(sys.argv[1:]))
