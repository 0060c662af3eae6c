"""Running the worker the way livekit-agents runs one."""

from __future__ import annotations

import faulthandler
import gc
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import agent
from agent.processes import deferred_packages
from agent.processes.worker_process import TRACEBACKS
from agent.telemetry import dev_log
from agent.telemetry.log_level import change_on_signal

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER = Path(agent.__file__).parent / "worker.py"

logger = logging.getLogger(__name__)


def run_worker(
    log_level: str, *, dev: bool = False, on_registered: Callable[[], None] | None = None
) -> bool:
    """Runs the worker until SIGINT or SIGTERM: the command `python -m livekit.agents start`.

    It brings the signals, the draining and the logs that LiveKit's users know.

    Args:
        log_level: least severe level that is logged.
        dev: ends without waiting for rooms to be left, and logs for people.
        on_registered: called whenever the room server has registered the worker.

    Returns:
        Whether it ran until it was asked to end; False if it failed.
    """
    # A native abort ends the process: the log then at least shows where each thread was.
    faulthandler.enable()
    change_on_signal()
    # Written in C, also while a call blocks the interpreter.
    faulthandler.register(TRACEBACKS)

    deferred_packages.install()
    if dev:
        dev_log.quiet_framework(log_level)
    from livekit.agents.__main__ import main as livekit_agents  # noqa: PLC0415 - only now

    from agent.worker import server  # noqa: PLC0415 - imported by who runs it, and nobody before

    # Loaded modules stay: a full collection would traverse all of them, and block every room.
    gc.freeze()

    failures: list[Exception] = []
    run = server.run

    async def run_and_tell(*, devmode: bool = False, unregistered: bool = False) -> None:
        try:
            await run(devmode=devmode, unregistered=unregistered)
        except Exception as error:
            failures.append(error)
            raise

    # `start` logs that the worker failed, and exits as if it had not (livekit/agents/cli/cli.py,
    # _worker_run): a supervisor would not start it again.
    server.run = run_and_tell
    if on_registered is not None:
        server.on("worker_registered", _ignoring_arguments(on_registered))
    if dev:
        server.once("worker_started", partial(dev_log.show_to_people, log_level))
    arguments = ["start", str(WORKER), "--log-level", log_level]
    livekit_agents([*arguments, "--dev"] if dev else arguments)
    return not failures


def _ignoring_arguments(call: Callable[[], None]) -> Callable[..., None]:
    def ignore(*_: object) -> None:
        call()

    return ignore
