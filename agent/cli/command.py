"""How every command runs and fails: one line on stderr and an exit status, never a traceback."""

import asyncio
import contextlib
import sys
from collections.abc import Coroutine, Generator
from typing import Annotated, TypeAlias

import typer

FAILED = 1
WRONG_SETTINGS = 2
INTERRUPTED = 130

RoomOption: TypeAlias = Annotated[str, typer.Option("--room", "-r", help="Name of the room.")]
PatienceOption: TypeAlias = Annotated[
    float,
    typer.Option(
        "--timeout", min=0.1, help="Seconds to wait for the agent, or a sign of its life."
    ),
]


class CommandError(Exception):
    """Why a command cannot do what it was told, in words for the terminal."""

    def __init__(self, reason: str, status: int = FAILED) -> None:
        super().__init__(reason)
        self.status = status


@contextlib.contextmanager
def reporting() -> Generator[None]:
    """Turns a CommandError into its message on stderr and its exit status; Ctrl-C is quiet."""
    try:
        yield
    except CommandError as error:
        complain(str(error))
        raise typer.Exit(error.status) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def run(command: Coroutine[object, object, None]) -> None:
    """Runs an async command to its end, `reporting` how it fails."""
    with reporting():
        asyncio.run(command)


def complain(reason: str) -> None:
    """Tells the terminal what went wrong; stdout is for what went right."""
    typer.echo(reason, err=True)


def show(text: str, end: str = "\n") -> None:
    """Writes what came from a room.

    A terminal gets no control characters from other people, and no character that it cannot
    show is an error.
    """
    if sys.stdout.isatty():
        text = "".join(c for c in text if c.isprintable() or c in "\n\t")
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + end)
    sys.stdout.flush()
