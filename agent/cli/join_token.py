"""`token`: prints a token that joins a room."""

import datetime
import os
import re
from typing import Annotated

import typer

from agent.cli.command import RoomOption, reporting
from agent.cli.participant_options import (
    AttributeOption,
    NameOption,
    RoleOption,
    attributes_of,
)
from agent.cli.target import find_target

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def _duration(text: str) -> datetime.timedelta:
    match = re.fullmatch(r"(\d{1,8})([smhd]?)", text.strip())
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= 10 * 366 * 86_400:
        raise typer.BadParameter("expected a time such as 90s, 30m, 6h or 7d")
    return datetime.timedelta(seconds=seconds)


def token(
    room: RoomOption,
    identity: Annotated[str, typer.Option(help="Identity of the participant; unique in the room.")],
    name: NameOption = "",
    role: RoleOption = None,
    attribute: AttributeOption = None,
    ttl: Annotated[
        datetime.timedelta,
        typer.Option(parser=_duration, metavar="TIME", help="Lifetime: 90s, 30m, 6h, 7d."),
    ] = "6h",  # pyright: ignore[reportArgumentType] - typer parses defaults as well
    agent: Annotated[
        bool, typer.Option(help="Dispatch the agent when the token is used, if AGENT_NAME is set.")
    ] = True,
) -> None:
    """Print a token to join a room with."""
    from agent.access.join_token import Joining, join_token  # noqa: PLC0415 - see agent/cli/__init__.py

    with reporting():
        target = find_target(os.environ)
        attributes = attributes_of(role, attribute)
    agent_name = target.agent_name if agent else ""
    joining = Joining(room, identity, name, attributes=attributes, agent_name=agent_name)
    typer.echo(join_token(target.api_key, target.api_secret, joining, ttl))
