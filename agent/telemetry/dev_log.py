"""The log as `dev` shows it to a person: events of rooms, and errors."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

ANSWERED: Final = "answered"
"""The message of the line for an answer: see agent.chat.answer_record."""

_QUIET: Final = ("livekit", "livekit.agents", "livekit.plugins.silero", "livekit.plugins.openai")
_LEVEL_WIDTH: Final = 8
_RESET: Final = "\033[0m"
_DIM: Final = "\033[2m"
_COLOURS: Final = {
    logging.WARNING: "\033[33m",
    logging.ERROR: "\033[31m",
    logging.CRITICAL: "\033[1;31m",
}
_GREEN: Final = "\033[32m"


def quiet_framework(level: str) -> None:
    """Keeps livekit-agents' own lines out, unless details are asked for; it leaves levels alone
    that are set before it sets up the log."""
    if logging.getLevelNamesMapping().get(level, logging.INFO) >= logging.INFO:
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)


def show_to_people(level: str) -> None:
    """Makes the handlers of the root logger write for people."""
    formatter = DevFormatter(colours=wants_colours(sys.stdout, os.environ))
    everything = logging.getLevelNamesMapping().get(level, logging.INFO) < logging.INFO
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)
        if not everything:
            handler.addFilter(_matters)


def wants_colours(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a stream is a terminal whose user has not asked for plain text (no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class DevFormatter(logging.Formatter):
    """`12:03:11  demo  message`; levels only for warnings and errors."""

    def __init__(self, *, colours: bool) -> None:
        super().__init__(datefmt="%H:%M:%S")
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = vars(record)
        text = self._answer(fields) if record.msg == ANSWERED else record.getMessage()
        parts = [self._paint(self.formatTime(record, self.datefmt), _DIM)]
        if record.levelno >= logging.WARNING:
            colour = _COLOURS.get(record.levelno, "")
            parts.append(self._paint(record.levelname.ljust(_LEVEL_WIDTH), colour))
        if room := fields.get("room"):
            parts.append(self._paint(str(room), _GREEN))
        parts.append(text)
        line = "  ".join(parts)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line

    def _answer(self, fields: Mapping[str, Any]) -> str:
        first = fields.get("first_token_s")
        parts = [
            ", ".join(fields.get("tools") or ()),
            "no text" if first is None else f"first text {first:.2f} s",
            f"{fields.get('seconds', 0.0):.2f} s",
        ]
        if fields.get("tokens_in") or fields.get("tokens_out"):
            parts.append(f"{fields.get('tokens_in')} + {fields.get('tokens_out')} tokens")
        if (reason := fields.get("finish_reason")) != "stop":
            parts.append(str(reason))
        details = self._paint(" · ".join(filter(None, parts)), _DIM)
        return f"answered {fields.get('asker')}  {details}"

    def _paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours and colour else text


def _matters(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or hasattr(record, "room")
