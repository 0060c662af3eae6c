"""Programs that the tests' MCP servers run as."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

SERVER = str(Path(__file__).parent / "server.py")
ODD_SERVER = str(Path(__file__).parent / "odd_server.py")

DEAF = "import sys; sys.stdin.read()"
"""Never answers, and ends when nobody speaks to it any more."""

DEAF_UNTIL = """
import os, runpy, sys
awake, *sys.argv = sys.argv[1:]
if os.path.exists(awake):
    runpy.run_path(sys.argv[0], run_name="__main__")
sys.stdin.read()
"""
"""Deaf unless a file is there, its first argument; then the program that the second one names."""


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def served(port: int, transport: str = "streamable-http") -> AsyncGenerator[None]:
    """The server over HTTP; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, SERVER, str(port), transport), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()
