"""`migrate`: brings the database's schema up to date, as the worker does at its start."""

import os

from agent.cli.command import CommandError, run, show
from agent.cli.target import read_settings


def migrate() -> None:
    """Bring the schema of the database up to date; the worker does so at its start."""
    run(_migrate())


async def _migrate() -> None:
    settings = read_settings(os.environ)
    # See agent/cli/__init__.py.
    from agent.history.errors import HistoryError  # noqa: PLC0415
    from agent.history.migrate import migrate_database  # noqa: PLC0415

    try:
        done = await migrate_database(settings.database_url)
    except HistoryError as error:
        raise CommandError(str(error)) from None
    if done.before == done.after:
        show(f"{done.database} is up to date: {done.after}")
    else:
        show(f"{done.database}: {done.before or 'empty'} -> {done.after}")
