"""The worker as `dev` runs it, in a process of its own: `python -m agent.cli.dev_worker`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from agent.processes.parent import end_with_parent
from agent.processes.process_end import run_and_end

if TYPE_CHECKING:
    from collections.abc import Sequence

REGISTERED = b"registered\n"


def main(arguments: Sequence[str]) -> int:
    """Runs the worker; arguments are the parent's process id, a file descriptor, a log level.

    REGISTERED is written to the descriptor when the room server has taken the worker on.
    """
    parent, descriptor, log_level = int(arguments[0]), int(arguments[1]), arguments[2]
    end_with_parent(parent)
    from agent.processes.worker_run import run_worker  # noqa: PLC0415 - takes seconds; be bound first

    told = False

    def tell() -> None:
        nonlocal told
        if not told:
            os.write(descriptor, REGISTERED)
            os.close(descriptor)
        told = True

    return 0 if run_worker(log_level, dev=True, on_registered=tell) else 1


if __name__ == "__main__":
    run_and_end(lambda: main(sys.argv[1:]))
