"""MarkdownStream: Markdown in a terminal, shown while it comes."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.status import Status
from rich.text import Text

REFRESH_PER_SECOND: Final = 8


class MarkdownStream:
    """Shows blocks that are whole for good; the last one is drawn again as it grows. So an answer
    may be longer than the screen."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rest = ""
        self._live: Live | None = None
        self._waiting: Status | None = None

    def wait(self, what: str) -> None:
        """Shows what is being waited for, until more text comes; only in a terminal."""
        if not self._console.is_terminal:
            return
        text = Text(what, style="dim")
        if self._waiting is not None:
            self._waiting.update(text)
            return
        self.finish()
        self._waiting = self._console.status(text)
        self._waiting.start()

    def push(self, text: str) -> None:
        """Adds a piece of the text."""
        self._stop_waiting()
        self._rest += text
        whole, self._rest = split_blocks(self._rest)
        if whole.strip():
            self._close()
            self._console.print(Markdown(whole))
        if self._rest.strip():
            self._show()

    def note(self, text: str) -> None:
        """A line beside the answer."""
        # The terminal wraps what has no spaces, such as an address: so it can be copied.
        is_long = any(len(word) >= self._console.width for word in text.split())
        self._console.print(Text(text, style="dim"), soft_wrap=is_long)

    def finish(self) -> None:
        """Ends the stream."""
        self._stop_waiting()
        self._show()
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._rest = ""

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None

    def _show(self) -> None:
        if not self._rest.strip():
            return
        if self._live is None:
            self._live = Live(
                console=self._console,
                refresh_per_second=REFRESH_PER_SECOND,
                vertical_overflow="visible",
            )
            self._live.start()
        self._live.update(Markdown(self._rest), refresh=True)

    def _close(self) -> None:
        """Removes the partial drawing of the block that is complete now."""
        if self._live is not None:
            self._live.transient = True
            self._live.stop()
            self._live = None


def split_blocks(text: str) -> tuple[str, str]:
    """Markdown up to its last blank line outside of a block of code, and the rest."""
    end = offset = 0
    in_code = False
    for line in text.splitlines(keepends=True):
        offset += len(line)
        if line.lstrip().startswith(("```", "~~~")):
            in_code = not in_code
        elif not line.strip() and line.endswith("\n") and not in_code:
            end = offset
    return text[:end], text[end:]
