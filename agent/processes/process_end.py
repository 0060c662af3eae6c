"""The end of a process that the native SDK has been loaded into."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


def run_and_end(command: Callable[[], int | None]) -> NoReturn:
    """Runs a command to its end and ends the process with its status, without finalization.

    The SDK's native threads call into Python. A thread that does so while the interpreter shuts
    down is unwound by force, which native code does not survive: the process dies of SIGABRT after
    all its work was done (livekit/agents#732, livekit/python-sdks#627), and a supervisor takes
    a clean stop for a crash. Commands have closed their resources by now.
    """
    try:
        status = _status(command())
    except SystemExit as end:
        status = _status(end.code)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Nobody reads it any more: what Python itself would report with status 120.
            status = status or 1
    os._exit(status)


def _status(code: object) -> int:
    """The exit status that a SystemExit's code stands for; text goes to stderr."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    print(code, file=sys.stderr)  # noqa: T201 - as sys.exit does
    return 1
