"""`chat`: a terminal client."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.command import (
    CommandError,
    IdentityOption,
    PatienceOption,
    RoomOption,
    complain,
    made_up_identity,
    run,
    show,
)
from agent.cli.target import find_target

if TYPE_CHECKING:
    from agent.cli.answers import Answers
    from agent.cli.room_client import RoomClient
    from agent.cli.target import Target

CHAT_TOPIC = "lk.chat"
PROMPT = "> "


def chat(
    text: Annotated[
        str | None, typer.Argument(help="What to say. Without it: piped input, or a conversation.")
    ] = None,
    room: RoomOption = "demo",
    identity: IdentityOption = "",
    patience: PatienceOption = 60.0,
) -> None:
    """Talk to the agent in a room."""
    if text is None and not sys.stdin.isatty():
        text = sys.stdin.read().strip()
    run(_chat(text, room, identity or made_up_identity(), patience))


async def _chat(text: str | None, room: str, identity: str, patience: float) -> None:
    from agent.cli.answers import Answers  # noqa: PLC0415 - see agent/cli/__init__.py
    from agent.cli.room_client import joined  # noqa: PLC0415 - as above

    if text == "":
        raise CommandError("there is nothing to say")
    target = find_target(os.environ)
    async with joined(target, room, identity, patience) as client:
        answers = Answers(client, target.reply_topic)
        if text is not None:
            await _ask(client, answers, text, patience)
        else:
            await _converse(client, answers, target, patience)


async def _ask(client: "RoomClient", answers: "Answers", text: str, patience: float) -> None:
    """Says something and shows the answer as it comes; raises CommandError without a whole one."""
    from agent.cli.answers import NoAnswerError  # noqa: PLC0415 - as above

    info = await client.room.local_participant.send_text(text, topic=CHAT_TOPIC)
    shown = False
    try:
        async for delta in answers.to(info.stream_id, patience):
            show(delta, end="")
            shown = True
    except NoAnswerError as error:
        raise CommandError(str(error)) from error
    finally:
        if shown:
            show("")


async def _converse(
    client: "RoomClient", answers: "Answers", target: "Target", patience: float
) -> None:
    complain(f"In room {client.room.name} at {target.url} with {client.agent}. Ctrl-D ends.")
    show(PROMPT, end="")
    async for line in _typed_lines():
        if line.strip():
            try:
                await _ask(client, answers, line.strip(), patience)
            except CommandError as error:
                complain(str(error))
        if not client.room.isconnected():
            raise CommandError("the connection to the room is lost")
        show(PROMPT, end="")
    show("")


async def _typed_lines() -> AsyncGenerator[str]:
    """What is typed, line by line, without a thread that Ctrl-C could not interrupt."""
    lines = asyncio.StreamReader()
    # Opened anew: it becomes non-blocking, which standard output, the same terminal, must not.
    terminal = os.open(os.ttyname(sys.stdin.fileno()), os.O_RDONLY | os.O_NOCTTY)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(terminal, "rb")
    )
    try:
        while line := await lines.readline():
            yield line.decode(errors="replace")
    finally:
        transport.close()
