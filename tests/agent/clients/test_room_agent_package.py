"""The TypeScript package as it is published: installed into an empty project, and its size."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Final

import pytest

from tests.agent.clients.room_agent import PACKAGE, build, bundle, need_packages, run_npm

MAX_BYTES: Final = 15_000
"""Size of the whole package in a page, minified and compressed."""

APP: Final = """
import { AgentError, MessageList, RoomAgent } from 'livekit-room-agent';
import type { Message, RoomLike } from 'livekit-room-agent';

export async function ask(room: RoomLike): Promise<string> {
  const agent = new RoomAgent(room);
  const messages: readonly Message[] = agent.messages.items;
  let text = messages.map((message) => message.text).join();
  try {
    for await (const piece of agent.ask('Hello')) if (piece.type === 'text') text += piece.text;
  } catch (error) {
    if (error instanceof AgentError) console.warn(error.code);
  }
  return text;
}

const list = new MessageList('room');
list.put({ id: 'm-1', senderId: 'ana', role: 'user', text: 'Hello' });
console.log(list.items[0]?.text);
"""


async def test_the_unit_tests_pass() -> None:
    need_packages()
    vitest = PACKAGE / "node_modules" / ".bin" / "vitest"
    assert "failed" not in await run_npm(
        "run", "--testTimeout=20000", cwd=PACKAGE, executable=str(vitest)
    )


@pytest.mark.lengthy
async def test_the_package_and_its_tests_are_typed() -> None:
    need_packages()
    compiler = PACKAGE / "node_modules" / ".bin" / "tsc"
    await run_npm("-p", "tsconfig.json", cwd=PACKAGE, executable=str(compiler))


@pytest.mark.lengthy
async def test_the_reference_has_all_public_names(tmp_path: Path) -> None:
    need_packages()
    typedoc = PACKAGE / "node_modules" / ".bin" / "typedoc"
    # Ends with an error where a public name refers to one that is left out.
    await run_npm("--out", str(tmp_path / "docs"), cwd=PACKAGE, executable=str(typedoc))
    pages = {each.stem for each in (tmp_path / "docs").rglob("*.html")}
    assert {"index.RoomAgent", "index.Asking", "ag-ui.AgUiAgent", "react.useMessages"} <= pages


async def test_it_is_small(tmp_path: Path) -> None:
    script = await bundle(await build(tmp_path / "built"), tmp_path)
    assert len(gzip.compress(script.read_bytes())) < MAX_BYTES


@pytest.fixture
async def project(tmp_path: Path) -> Path:
    """An empty project with the packed package in it; nothing is fetched."""
    need_packages()
    sources = tmp_path / "client"
    sources.mkdir()
    for name in ("package.json", "tsconfig.json", "tsconfig.build.json"):
        (sources / name).write_text((PACKAGE / name).read_text())
    (sources / "src").symlink_to(PACKAGE / "src")
    (sources / "node_modules").symlink_to(PACKAGE / "node_modules")
    await run_npm("pack", "--pack-destination", str(tmp_path), cwd=sources)
    archive = tmp_path / "livekit-room-agent-{version}.tgz".format_map(
        json.loads((PACKAGE / "package.json").read_text())
    )
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "package.json").write_text(json.dumps({"type": "module", "private": True}))
    await run_npm("install", "--offline", "--no-audit", str(archive), cwd=directory)
    return directory


@pytest.mark.lengthy
async def test_it_works_in_an_empty_project(project: Path) -> None:
    installed = project / "node_modules" / "livekit-room-agent"
    assert {each.name for each in installed.iterdir()} == {"dist", "package.json"}
    (project / "app.ts").write_text(APP)
    compiler = PACKAGE / "node_modules" / ".bin" / "tsc"
    options = ("--target", "es2022", "--module", "nodenext", "--strict", "app.ts")
    await run_npm(*options, cwd=project, executable=str(compiler))
    assert await run_npm("app.js", cwd=project, executable="node") == "Hello\n"
