"""`export`: usage and conversations out of the database, for other programs."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.app_store import app_store
from agent.cli.command import WRONG_SETTINGS, CommandError, run, show
from agent.cli.target import read_settings

if TYPE_CHECKING:
    from agent.history.durable_history import DurableHistory
    from agent.history.message import Message

export = typer.Typer(help="Write usage or a conversation to standard output.", no_args_is_help=True)

DayOption = Annotated[str | None, typer.Option(help="A day in UTC, such as 2026-01-31.")]


@export.command()
def usage(since: DayOption = None, until: DayOption = None) -> None:
    """Usage by day, tenant, room, identity and model, as CSV; of today unless days are given."""
    today = datetime.now(UTC).date().isoformat()
    run(_usage(_day(since or until or today), _day(until or today)))


@export.command()
def conversation(
    room: Annotated[str, typer.Option("--room", "-r", help="Name of the room.")],
    private: Annotated[
        str | None, typer.Option(help="The private conversation of this identity instead.")
    ] = None,
) -> None:
    """The messages of a room, of all its sessions, oldest first, one JSON object a line."""
    run(_conversation(room, private))


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{text}: expected a day such as 2026-01-31") from None


async def _usage(since: str, until: str) -> None:
    from dataclasses import asdict, fields  # noqa: PLC0415 - see agent/cli/__init__.py

    from agent.history.accounts import UsageCounts, UsageKey  # noqa: PLC0415 - as above
    from agent.history.errors import HistoryError  # noqa: PLC0415 - as above

    history = _opened()
    last: UsageKey | None = None
    show(_row([each.name for kind in (UsageKey, UsageCounts) for each in fields(kind)]), end="")
    try:
        while found := await history.accounts.usage(since=since, until=until, after=last):
            for key, counts in found:
                show(_row([*asdict(key).values(), *asdict(counts).values()]), end="")
            last = found[-1][0]
    except HistoryError as error:
        raise CommandError(str(error)) from None
    finally:
        await history.aclose()


async def _conversation(room: str, private: str | None) -> None:
    from agent.history.errors import HistoryError  # noqa: PLC0415 - see agent/cli/__init__.py
    from agent.history.history import MAX_PAGE  # noqa: PLC0415 - as above
    from agent.history.message import ThreadKey  # noqa: PLC0415 - as above

    settings = read_settings(os.environ)
    if app_store(settings.app) is not None:
        raise CommandError("the app keeps its messages in a store of its own: export them there")
    history = _opened()
    identity = settings.agent_identity
    try:
        for name in await history.accounts.conversations(room, private):
            thread = ThreadKey(name, private)
            pages: list[tuple[Message, ...]] = []
            before: str | None = None
            while not pages or before is not None:
                page = await history.page(
                    thread, asker=private or identity, before=before, limit=MAX_PAGE
                )
                pages.append(page.messages)
                before = page.next_before
            for messages in reversed(pages):
                for message in messages:
                    show(json.dumps({"conversation": name, **_shape(message)}, ensure_ascii=False))
    except HistoryError as error:
        raise CommandError(str(error)) from None
    finally:
        await history.aclose()


def _opened() -> DurableHistory:
    from agent.history.errors import InvalidValueError  # noqa: PLC0415 - see agent/cli/__init__.py
    from agent.history.open_history import open_history  # noqa: PLC0415 - as above

    try:
        return open_history(read_settings(os.environ).database_url)
    except InvalidValueError as error:
        raise CommandError(str(error), WRONG_SETTINGS) from None


def _shape(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "thread": message.thread.id,
        "role": message.role,
        "senderId": message.sender_id,
        "senderName": message.sender_name,
        "text": message.text,
        "timestamp": message.timestamp,
        "position": message.position,
        "inReplyTo": message.in_reply_to,
        "finishReason": message.finish_reason,
        "editedAt": message.edited_at,
        "attachments": [
            {"id": each.id, "name": each.name, "type": each.type, "size": each.size}
            for each in message.attachments
        ],
    }


def _row(values: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(_harmless, values))
    return text.getvalue()


def _harmless(value: object) -> object:
    """A value that no spreadsheet takes for a formula: people choose names of rooms."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
