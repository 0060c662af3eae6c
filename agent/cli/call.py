"""`call`: an RPC from the shell."""

import os
from typing import Annotated

import typer

from agent.cli.command import (
    CommandError,
    IdentityOption,
    PatienceOption,
    RoomOption,
    made_up_identity,
    run,
    show,
)
from agent.cli.target import find_target


def call(
    method: Annotated[str, typer.Argument(help="Name of the method, such as getWeather.")],
    payload: Annotated[
        str, typer.Argument(metavar="[JSON]", help='Arguments, such as {"city": "Paris"}.')
    ] = "",
    room: RoomOption = "demo",
    identity: IdentityOption = "",
    patience: PatienceOption = 15.0,
) -> None:
    """Call one of the agent's methods and print the result."""
    run(_call(method, payload, room, identity or made_up_identity(), patience))


async def _call(method: str, payload: str, room: str, identity: str, patience: float) -> None:
    from livekit import rtc  # noqa: PLC0415 - see agent/cli/__init__.py

    from agent.cli.method_call import MethodCall  # noqa: PLC0415 - as above
    from agent.cli.room_client import Person, joined  # noqa: PLC0415 - as above

    target = find_target(os.environ)
    async with joined(target, room, Person(identity), patience) as client:
        try:
            answer = await MethodCall(client).perform(method, payload, patience)
        except rtc.RpcError as error:
            data = f"\n{error.data}" if error.data else ""
            raise CommandError(f"{error.code} {error.message}{data}") from error
        except TimeoutError:
            raise CommandError(f"the answer was incomplete after {patience:g} s") from None
    show(answer)
