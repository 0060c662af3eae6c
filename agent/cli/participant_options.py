"""The options of the commands that make a token: who somebody is to the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from agent.cli.command import WRONG_SETTINGS, CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence


NameOption: TypeAlias = Annotated[str, typer.Option(help="The name people see.")]
RoleOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="A role, such as moderator; may be given several times."),
]
AttributeOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="A participant attribute; may be given several times."),
]


def attributes_of(roles: Sequence[str] | None, given: Sequence[str] | None) -> dict[str, str]:
    """The attributes of a token. Raises CommandError for one without a key."""
    attributes: dict[str, str] = {}
    for each in given or ():
        key, equals, value = each.partition("=")
        if not key or not equals:
            raise CommandError(f"--attribute {each}: expected KEY=VALUE", WRONG_SETTINGS)
        attributes[key] = value
    if roles:
        attributes["role"] = ",".join(roles)
    return attributes
