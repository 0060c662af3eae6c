"""The options of the commands that make a token: who somebody is to the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from agent.cli.command import WRONG_SETTINGS, CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from livekit import api

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


def with_person(
    token: api.AccessToken, identity: str, name: str, attributes: dict[str, str]
) -> api.AccessToken:
    """The token of a person. Their attributes are the token's word: they may not change them."""
    token = token.with_identity(identity).with_name(name)
    return token.with_attributes(attributes) if attributes else token


def with_dispatch(token: api.AccessToken, agent_name: str) -> api.AccessToken:
    """The token, which brings the agent into the room where it has a name to be dispatched by."""
    from livekit import api  # noqa: PLC0415 - see agent/cli/__init__.py

    if not agent_name:
        return token
    dispatch = api.RoomAgentDispatch(agent_name=agent_name)
    return token.with_room_config(api.RoomConfiguration(agents=[dispatch]))
