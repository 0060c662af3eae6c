"""A command that is run beside the server: tests of another language, for one."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENDING_WITHIN = 10.0
"""Seconds that a command has to end after SIGTERM."""


async def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    stop: asyncio.Event,
    *,
    has_stdin: bool = True,
) -> int:
    """Run ``command`` with ``environ`` besides its own environment; return its exit status.

    It reads the standard input of this process, or an empty one without ``has_stdin``.

    Once ``stop`` is set it is asked to end by SIGTERM, and killed if it does not. A command that a
    signal ended has the status that a shell gives it. Raises OSError if there is no such command.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environ},
        stdin=None if has_stdin else asyncio.subprocess.DEVNULL,
    )
    ended = asyncio.ensure_future(process.wait())
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait((ended,), timeout=ENDING_WITHIN)
        if not ended.done():
            process.kill()
        status = await ended
    finally:
        stopped.cancel()
    return status if status >= 0 else 128 - status
