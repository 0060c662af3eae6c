"""The store in which the app that APP names keeps messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.command import WRONG_SETTINGS, CommandError

if TYPE_CHECKING:
    from agent.history.turn_store import TurnStore


def app_store(reference: str) -> TurnStore | None:
    """The app's store; None: there is no such app, or it has none. Raises CommandError."""
    if not reference:
        return None
    from agent.app.app_error import AppError  # noqa: PLC0415 - see agent/cli/__init__.py
    from agent.app.loading import load_app  # noqa: PLC0415 - as above

    try:
        maker = load_app(reference).store_maker
        return None if maker is None else maker()
    except AppError as error:
        raise CommandError(str(error), WRONG_SETTINGS) from None
