"""Runs every command, and handles its failures: one line on stderr and an exit status, never a
traceback."""

import asyncio
import contextlib
import secrets
import sys
import unicodedata
from collections.abc import Coroutine, Generator
from typing import Annotated, TextIO, TypeAlias

import typer

from agent.unicode_text import JOINERS

FAILED = 1
WRONG_SETTINGS = 2
INTERRUPTED = 130

RoomOption: TypeAlias = Annotated[str, typer.Option("--room", "-r", help="Name of the room.")]
IdentityOption: TypeAlias = Annotated[
    str,
    typer.Option(help="Your identity, unique in the room; by default a random one."),
]
PatienceOption: TypeAlias = Annotated[
    float,
    typer.Option(
        "--timeout",
        min=0.1,
        help="Seconds to wait for the agent, or for a sign that it is working.",
    ),
]
AppOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--app",
        help="Your own app: a file such as my_app.py, or module:attribute. Else APP counts.",
        show_default=False,
    ),
]


class CommandError(Exception):
    """The reason why a command failed, in words for the terminal."""

    def __init__(self, reason: str, status: int = FAILED) -> None:
        super().__init__(reason)
        self.status = status


def made_up_identity() -> str:
    """An identity that nobody in the room has: taking another's would disconnect them."""
    return f"cli-{secrets.token_hex(4)}"


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
    """Prints the error to stderr, unless it was printed already; stdout is for results."""
    if reason:
        _write(sys.stderr, reason + "\n")


def show(text: str, end: str = "\n") -> None:
    """Writes text from a room, and flushes it."""
    _write(sys.stdout, text + end)


def printable(text: str) -> str:
    """Text without control characters, which a terminal would obey, and without those that turn the
    direction of writing."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(each for each in text if each in "\n\t" or is_visible(each))


def is_visible(character: str) -> bool:
    """Whether a character is shown, is a space, or joins others, as in Persian and in emoji."""
    if character.isprintable() or character in JOINERS:
        return True
    return unicodedata.category(character) == "Zs"


def _write(stream: TextIO, text: str) -> None:
    """Writes what others may have written.

    A terminal gets no control characters from them, and a character that the stream's encoding
    does not have is no error.
    """
    if stream.isatty():
        text = printable(text)
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()
