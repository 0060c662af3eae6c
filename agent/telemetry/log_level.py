"""The level of the log, and changing it while the worker runs: SIGUSR1."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

CHANGE: Final = signal.SIGUSR1
"""Switches between the level that was set and DEBUG."""

OWN_LEVELS: Final = ("livekit.agents",)
"""Loggers to which livekit-agents gives the level, too (livekit/agents/cli/log.py)."""

logger = logging.getLogger(__name__)


def ignore_changes() -> None:
    """Ignored until the process can change its level: otherwise the signal would end the
    process."""
    signal.signal(CHANGE, signal.SIG_IGN)


def change_on_signal() -> None:
    """Call it on the main thread."""
    signal.signal(CHANGE, _on_signal)


def change() -> None:
    """Switches to DEBUG, or back."""
    root = logging.getLogger()
    if root.level != logging.DEBUG:
        _before.append(root.level)
        level = logging.DEBUG
    else:
        level = _before.pop() if _before else logging.INFO
    for each in (root, *map(logging.getLogger, OWN_LEVELS)):
        each.setLevel(level)
    logger.warning("log level set to %s", logging.getLevelName(level))


_before: Final[list[int]] = []


def _on_signal(_: int, __: FrameType | None) -> None:
    change()
