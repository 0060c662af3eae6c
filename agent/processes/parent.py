"""Ends a process together with the one that started it."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_LOOK_EVERY: Final = 1.0
"""Seconds."""


def end_with_parent(parent: int) -> None:
    """Ends this process as soon as `parent` is gone, even if that was killed.

    On Linux the kernel does so, even after either of them has executed another program; elsewhere a
    thread does, and stops at an exec.
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - for the processes that are started, not for who starts them

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit("the process that started this one is gone")
        return

    import threading  # noqa: PLC0415 - as above

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_EVERY)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=look, daemon=True, name="end-with-parent").start()
