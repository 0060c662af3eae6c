"""TypedLines: the lines that somebody types in a terminal.

Keys come one by one from the first prompt on, so that Tab completes, and what is pasted is one
line. Between two prompts they are shown where the cursor is, as the terminal itself would show
them. No thread waits here: Ctrl-C could not interrupt it.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import shutil
import signal
import sys
import termios
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TextIO, cast

from rich.cells import cell_len
from rich.file_proxy import FileProxy

from agent.cli.command import CommandError, printable
from agent.cli.line_editor import ERASE_LINE, Completion, LineEditor, common_start, one_row

READ_BYTES: Final = 4_096

PASTES_ARE_MARKED: Final = "\x1b[?2004h"
PASTES_ARE_TYPED: Final = "\x1b[?2004l"
"""A pasted text comes between marks, so that it is one line whatever is in it; or as if it was
typed, as other programs expect it."""

_LOCAL_FLAGS: Final = 3
_CONTROL_CHARACTERS: Final = 6
"""Their indices in the attributes of a terminal (termios.tcgetattr)."""


class TypedLines:
    """Lines of standard input, a terminal.

    Args:
        prompt: stands before a line.
        complete: completes what stands before the cursor.
    """

    def __init__(self, prompt: str, complete: Callable[[str], Completion]) -> None:
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()
        """The typed text; None at the end."""
        self._editor = LineEditor(prompt, complete)
        is_dumb = os.environ.get("TERM", "") in {"dumb", "unknown"}
        self._is_simple = is_dumb or not sys.stdout.isatty()
        self._prompt = prompt
        self._is_asking = False
        self._has_keys = False
        """Whether keys come one by one."""
        self._former: list[Any] = []
        """The terminal's attributes, for when this ends."""

    async def read(self) -> None:
        """Reads until the end of the input, or until it is cancelled.

        Raises:
            CommandError: the terminal cannot be read.
        """
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTSTP: self._on_stopped,
            signal.SIGCONT: self._on_continued,
            signal.SIGWINCH: self._on_resized,
        }
        for each, handler in handlers.items():
            loop.add_signal_handler(each, handler)
        try:
            await self._read()
        except OSError as error:
            raise CommandError(f"the terminal cannot be read: {error}") from error
        finally:
            for each in handlers:
                loop.remove_signal_handler(each)
            self._is_asking = False
            if self._has_keys:
                with contextlib.suppress(termios.error, OSError):  # The terminal may be gone.
                    self._give_back()
            self.lines.put_nowait(None)

    async def _read(self) -> None:
        reader = asyncio.StreamReader()
        # Reopened: it becomes non-blocking, and standard output, the same terminal, must not.
        terminal = os.open(os.ttyname(sys.stdin.fileno()), os.O_RDONLY | os.O_NOCTTY)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(terminal, "rb")
        )
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while data := await reader.read(READ_BYTES):
                if self._take(decoder.decode(data)):
                    break
        finally:
            transport.close()

    def ask(self) -> None:
        """Shows the prompt, until the end of the line. Keys come one by one from now on."""
        if self._is_simple:
            _write(self._prompt)
            return
        self._is_asking = True
        if not self._has_keys:
            self._former = termios.tcgetattr(sys.stdin.fileno())
            self._take_keys()
        self._draw()

    @contextlib.contextmanager
    def above(self) -> Generator[None]:
        """Output inside this block appears above the line that is being typed."""
        if not self._is_asking:
            yield
            return
        _write(ERASE_LINE)
        try:
            yield
        finally:
            self._draw()

    def _take(self, typed: str) -> bool:
        """Whether that was the end of the input."""
        while typed:
            if not self._has_keys:
                self._take_lines(typed)
                return False
            before = self._editor.text
            line, is_end, typed = self._editor.feed(typed)
            candidates = self._editor.candidates()
            if is_end:
                return True
            if not self._is_asking:
                _echo(before, self._editor.text if line is None else line)
                _write("" if line is None else "\n")
            elif line is None:
                self._list(candidates)
                self._draw()
            else:
                _write(f"{ERASE_LINE}{self._prompt}{line}\n")
            if line is not None:
                self._is_asking = False
                self.lines.put_nowait(line)
        return False

    def _take_lines(self, typed: str) -> None:
        """Whole lines, as the terminal has edited them; the rest waits for the next prompt."""
        *ended, rest = typed.split("\n")
        for text in ended:
            self._editor.add(text)
            self.lines.put_nowait(self._editor.take())
        self._editor.add(rest)

    def show(self, line: str) -> None:
        """Shows a line as if it was typed just now."""
        _write(f"{self._prompt}{printable(line)}\n")

    def _list(self, candidates: Sequence[str]) -> None:
        if not candidates:
            return
        columns = shutil.get_terminal_size().columns
        width = min(max(map(len, candidates)) + 2, columns)
        each_row = max(columns // width, 1)
        rows = [candidates[at : at + each_row] for at in range(0, len(candidates), each_row)]
        with self.above():
            for row in rows:
                _write(printable("".join(name.ljust(width) for name in row).rstrip()) + "\n")

    def _draw(self) -> None:
        _write(self._editor.shown(shutil.get_terminal_size().columns))

    def _take_keys(self) -> None:
        """Ctrl-C and Ctrl-Z stay what they are."""
        changed = self._former.copy()
        changed[_LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
        characters = changed[_CONTROL_CHARACTERS] = changed[_CONTROL_CHARACTERS].copy()
        characters[termios.VMIN], characters[termios.VTIME] = 1, 0
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, changed)
        self._has_keys = True
        _write(PASTES_ARE_MARKED)

    def _give_back(self) -> None:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._former)
        _write(PASTES_ARE_TYPED)

    def _on_stopped(self) -> None:
        """Handles Ctrl-Z: restores the terminal's mode for the shell."""
        if self._has_keys:
            self._give_back()
            _write("\n")
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)

    def _on_continued(self) -> None:
        """The shell has set the terminal as it likes it."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTSTP, self._on_stopped)
        if not _is_in_foreground():
            return  # `bg`: the terminal is the shell's, and setting it would stop this again.
        if self._has_keys:
            self._take_keys()
        if self._is_asking:
            self._draw()

    def _on_resized(self) -> None:
        if self._is_asking:
            self._draw()


def _echo(before: str, now: str) -> None:
    """Shows a line without a prompt, where it was shown as it was before."""
    before, now = one_row(before), one_row(now)
    same = len(common_start(sorted([before, now])))
    _write("\b \b" * cell_len(before[same:]) + now[same:])


def _is_in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # A terminal of no session has no background.
        return True


def _write(text: str) -> None:
    # Rich keeps what is written beside what it draws until the end of a line.
    out: TextIO = sys.stdout
    if isinstance(out, FileProxy):
        out = cast("TextIO", out.rich_proxied_file)
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()
