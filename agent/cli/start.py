"""`start`: the worker alone, as in production."""

import os

import typer

from agent.cli.command import FAILED, WRONG_SETTINGS, CommandError, reporting
from agent.cli.target import read_settings


def start() -> None:
    """Run the worker alone, for the room server and the model that the settings name."""
    with reporting():
        settings = read_settings(os.environ)
        if problems := settings.missing():
            raise CommandError("\n".join(problems), WRONG_SETTINGS)
    from agent.cli.worker_run import run_worker  # noqa: PLC0415 - see agent/cli/__init__.py

    if not run_worker(settings.log_level):
        raise typer.Exit(FAILED)
