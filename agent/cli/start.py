"""`start`: the worker alone, as in production."""

import errno
import os
import socket
from typing import Annotated

import typer

from agent.cli.command import FAILED, WRONG_SETTINGS, AppOption, CommandError, reporting
from agent.cli.target import DOTENV, read_settings
from agent.config.environment import settle, slips
from agent.config.settings import Settings
from agent.config.settings_error import SettingsError

ProcessesOption = Annotated[
    int | None,
    typer.Option(min=0, max=256, help="Worker processes; 0: one a core. Else PROCESSES counts."),
]


def start(processes: ProcessesOption = None, app: AppOption = None) -> None:
    """Run the worker alone, for the room server and the model that the settings name."""
    with reporting():
        if app:
            os.environ["APP"] = app
        settings = read_settings(os.environ)
        wrong_names = slips(os.environ, DOTENV)
        settle(os.environ, DOTENV)
        uses_service, own_names = _app(settings) if settings.app else (True, frozenset[str]())
        for slip in wrong_names:
            if slip.partition(" ")[0] not in own_names:
                typer.echo(slip, err=True)
        if problems := settings.missing(model=uses_service):
            raise CommandError("\n".join(problems), WRONG_SETTINGS)
        wanted = settings.processes if processes is None else processes
        count = wanted or _cores()
        listener = _health_listener(settings)
        if count > 1:
            from agent.processes.supervision import supervise  # noqa: PLC0415 - as below

            raise typer.Exit(supervise(settings, count, listener))
        # The worker opens the port itself.
        os.environ["HTTP_PORT"] = str(listener.getsockname()[1])
        listener.close()
    from agent.processes.worker_run import run_worker  # noqa: PLC0415 - see agent/cli/__init__.py

    if not run_worker(settings.log_level):
        raise typer.Exit(FAILED)


def _app(settings: Settings) -> tuple[bool, frozenset[str]]:
    """Whether the app needs the model service, and the names of its settings; raises CommandError.

    It is imported here already, as the worker would in a moment.
    """
    from agent.processes import deferred_packages  # noqa: PLC0415 - see agent/cli/__init__.py

    deferred_packages.install()
    from agent.app.app_error import AppError  # noqa: PLC0415 - as above
    from agent.app.app_settings import names_of, read_app_settings  # noqa: PLC0415 - as above
    from agent.app.loading import load_app  # noqa: PLC0415 - as above

    try:
        app = load_app(settings.app)
        read_app_settings(app.settings, os.environ)
    except (AppError, SettingsError) as error:
        raise CommandError(str(error), WRONG_SETTINGS) from None
    return app.uses_service, frozenset(name for kind in app.settings for name in names_of(kind))


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _health_listener(settings: Settings) -> socket.socket:
    """A socket for the health page. If the default port is taken, such as by another worker on this
    machine, a free one is used. Raises CommandError if a configured port is taken."""
    from agent.processes.health_page import listen  # noqa: PLC0415 - see agent/cli/__init__.py

    host, port = settings.http_host, settings.http_port
    try:
        return listen((host, port))
    except socket.gaierror as error:
        raise CommandError(f"HTTP_HOST={host}: {error.strerror}", WRONG_SETTINGS) from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise CommandError(f"HTTP_HOST={host}, HTTP_PORT={port}: {error.strerror}") from error
        if "http_port" in settings.model_fields_set:
            raise CommandError(
                f"HTTP_PORT={port}: the port is taken (`python -m agent doctor` looks at it). Set "
                "HTTP_PORT to another one, or to 0 for any that is free"
            ) from error
    listener = listen((host, 0))
    free = listener.getsockname()[1]
    typer.echo(f"port {port} is taken: health is on port {free} (HTTP_PORT sets it)", err=True)
    return listener
