"""Drops all rights that this process does not need to read a file that may be an attack.

Each step is taken as far as the system allows it; those with limits work everywhere but on Windows.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
from typing import Final

MEMORY_BYTES: Final = 512 * 2**20
CPU_SECONDS: Final = 15
NOBODY: Final = 65_534

_CLONE_NEWUSER: Final = 0x1000_0000
_CLONE_NEWNET: Final = 0x4000_0000
_PR_SET_NO_NEW_PRIVS: Final = 38


def confine() -> None:
    """No other user's rights, no network, no files, bounded memory and time.

    Call it once everything is imported: nothing can be opened afterwards.
    """
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    with contextlib.suppress(OSError, AttributeError):
        _leave_the_system()
    # The descriptors that are open still work; there are no others: neither files nor sockets.
    for limit, bound in (
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
    ):
        resource.setrlimit(limit, (bound, bound))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _leave_the_system() -> None:
    """Own namespaces, an empty root directory, a user without rights (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    is_root = os.geteuid() == 0
    libc.unshare(_CLONE_NEWNET if is_root else _CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with contextlib.suppress(OSError):
        empty = tempfile.mkdtemp()
        try:
            os.chroot(empty)
            os.chdir("/")
        finally:
            with contextlib.suppress(OSError):
                os.rmdir(empty)
    if is_root:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
