"""`erase`: a participant's, a room's or a conversation's data, for good."""

import json
import os
from typing import Annotated

import typer

from agent.cli.app_store import app_store
from agent.cli.command import WRONG_SETTINGS, CommandError, run, show
from agent.cli.target import read_settings


def erase(
    participant: Annotated[
        str | None, typer.Option(help="Identity of the participant whose data is erased.")
    ] = None,
    room: Annotated[
        str | None, typer.Option("--room", "-r", help="All conversations of rooms of this name.")
    ] = None,
    conversation: Annotated[
        str | None, typer.Option(help="The conversation with this id of dispatch metadata.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase messages, files, boards, summaries, reactions and feedback for good.

    With --participant alone, that participant's in all conversations. The receipt is one JSON
    object on stdout. Safe to repeat.
    """
    run(_erase(participant, room, conversation, yes=yes))


async def _erase(
    participant: str | None, room: str | None, conversation: str | None, *, yes: bool
) -> None:
    if room is not None and conversation is not None:
        raise CommandError("--room and --conversation exclude each other", WRONG_SETTINGS)
    settings = read_settings(os.environ)
    # See agent/cli/__init__.py.
    from agent.erasure.eraser import Eraser  # noqa: PLC0415
    from agent.files.store import FileStore  # noqa: PLC0415
    from agent.history.conversation_name import of_id  # noqa: PLC0415
    from agent.history.erasure import Subject  # noqa: PLC0415
    from agent.history.errors import HistoryError, InvalidValueError  # noqa: PLC0415
    from agent.history.open_history import database_name, open_history  # noqa: PLC0415

    store = app_store(settings.app)
    named = None if conversation is None else of_id(conversation)
    try:
        subject = Subject(participant, room, named)
        database = database_name(settings.database_url, store)
    except InvalidValueError as error:
        raise CommandError(str(error), WRONG_SETTINGS) from None
    if not yes and not typer.confirm(f"Erase this for good from {database}?"):
        raise CommandError("nothing erased")
    history = open_history(settings.database_url, store, log_content=settings.log_content)
    files = FileStore(settings.attachments_dir, max_bytes=settings.max_stored_bytes)
    try:
        await history.migrate()
        receipt = await Eraser(history, files).erase(subject)
    except (HistoryError, OSError) as error:
        raise CommandError(f"not erased, or not completely; run it again: {error}") from None
    finally:
        await history.aclose()
        await files.aclose()
    show(json.dumps(receipt.as_json()))
