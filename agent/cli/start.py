"""`start`: the worker alone, as in production."""

import os
from typing import Annotated

import typer

from agent.cli.command import FAILED, WRONG_SETTINGS, CommandError, reporting
from agent.cli.target import DOTENV, read_settings
from agent.config.settings import Settings, settle

ProcessesOption = Annotated[
    int | None,
    typer.Option(min=0, max=256, help="Worker processes; 0: one a core. Else PROCESSES counts."),
]


def start(processes: ProcessesOption = None) -> None:
    """Run the worker alone, for the room server and the model that the settings name."""
    with reporting():
        settle(os.environ, DOTENV)
        settings = read_settings(os.environ)
        if problems := settings.missing():
            raise CommandError("\n".join(problems), WRONG_SETTINGS)
        wanted = settings.processes if processes is None else processes
        count = wanted or _cores()
        if count > 1:
            raise typer.Exit(_supervise(settings, count))
    from agent.processes.worker_run import run_worker  # noqa: PLC0415 - see agent/cli/__init__.py

    if not run_worker(settings.log_level):
        raise typer.Exit(FAILED)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _supervise(settings: Settings, count: int) -> int:
    from agent.processes.health_page import listen  # noqa: PLC0415 - see agent/cli/__init__.py
    from agent.processes.supervision import supervise  # noqa: PLC0415 - as above

    try:
        listener = listen((settings.http_host, settings.http_port))
    except OSError as error:
        raise CommandError(f"HTTP_PORT={settings.http_port}: {error.strerror}") from error
    return supervise(settings, count, listener)
