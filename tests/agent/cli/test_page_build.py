"""The build of the page, with programs in the place of Node and npm."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from agent.cli.page_build import KEPT_FOR, PageBuild

NODE = """#!/bin/sh
if [ "$1" = --version ]; then echo v22.12.0; exit; fi
echo build >> "$LOG"
while [ "$1" != --outDir ]; do shift; done
mkdir -p "$2" && cat src/main.tsx > "$2/index.html"
"""
NPM = """#!/bin/sh
echo install >> "$LOG"
case "$*" in *--include=dev*) ;; *) exit ;; esac
mkdir -p node_modules/vite/bin && : > node_modules/vite/bin/vite.js
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in ("web/src", "web/public", "client/src", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("index.html", "package.json", "package-lock.json", "tsconfig.json"):
        (tmp_path / "web" / name).write_text("{}")
    (tmp_path / "web" / "vite.config.ts").write_text("")
    (tmp_path / "web" / "src" / "main.tsx").write_text("first")
    (tmp_path / "client" / "src" / "index.ts").write_text("")
    program(tmp_path, "node", NODE)
    program(tmp_path, "npm", NPM)
    return tmp_path


def program(checkout: Path, name: str, script: str) -> None:
    path = checkout / "bin" / name
    path.write_text(script)
    path.chmod(0o755)


def page(checkout: Path) -> PageBuild:
    path = f"{checkout / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"
    return PageBuild({"PATH": path, "LOG": str(checkout / "log")}, checkout)


async def built(checkout: Path) -> str:
    build = page(checkout)
    await build.run(lambda _: None)
    assert build.problem is None
    assert build.files is not None
    return (build.files / "index.html").read_text()


def log(checkout: Path) -> list[str]:
    return (checkout / "log").read_text().split()


async def test_it_is_built_once_until_something_changes(checkout: Path) -> None:
    said: list[str] = []
    await page(checkout).run(said.append)
    assert [each.split(": ")[1][:15] for each in said] == [
        "installing its ",
        "it is being bui",
        "built",
    ]
    assert await built(checkout) == "first"
    assert log(checkout) == ["install", "build"]
    (checkout / "web" / "src" / "main.tsx").write_text("second")
    assert await built(checkout) == "second"
    (checkout / "client" / "src" / "index.ts").write_text("changed")
    assert await built(checkout) == "second"
    assert log(checkout) == ["install", "build", "build", "build"]
    (checkout / "web" / "package-lock.json").write_text("[]")
    await built(checkout)
    assert log(checkout)[-2:] == ["install", "build"]


async def test_a_build_is_kept_for_a_day_after_its_last_use(checkout: Path) -> None:
    source, dist = checkout / "web" / "src" / "main.tsx", checkout / "web" / "dist"
    builds = dict[str, Path]()
    for text in ("first", "second"):
        source.write_text(text)
        assert await built(checkout) == text
        [builds[text]] = {*dist.glob("[0-9a-f]*")} - {*builds.values()}
    long_ago = time.time() - KEPT_FOR - 60
    for build in builds.values():
        os.utime(build, (long_ago, long_ago))
    # It is used again: another process may have been serving it all the while.
    assert await built(checkout) == "second"
    source.write_text("third")
    assert await built(checkout) == "third"
    assert not builds["first"].exists()
    assert builds["second"].exists()


async def test_missing_packages_are_installed(checkout: Path) -> None:
    await built(checkout)
    (checkout / "web" / "node_modules" / "vite" / "bin" / "vite.js").unlink()
    (checkout / "web" / "src" / "main.tsx").write_text("second")
    assert await built(checkout) == "second"
    assert log(checkout) == ["install", "build", "install", "build"]


async def test_its_programs_get_no_secrets(checkout: Path) -> None:
    for name, script, begin in (("npm", NPM, "echo install"), ("node", NODE, "echo build")):
        program(checkout, name, script.replace(begin, f'env >> "$LOG.env"\n{begin}'))
    path = f"{checkout / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"
    secrets = ("OPENAI_API_KEY", "LIVEKIT_API_SECRET", "POSTGRES_PASSWORD", "REGISTRY_TOKEN")
    secrets += ("DATABASE_URL", "MCP_SERVERS")
    environ = {"PATH": path, "LOG": str(checkout / "log"), "NODE_ENV": "production"}
    build = PageBuild(environ | dict.fromkeys(secrets, "hidden"), checkout)
    await build.run(lambda _: None)
    assert build.problem is None
    passed_on = (checkout / "log.env").read_text()
    assert passed_on.count("NODE_ENV=production") == 2
    assert "hidden" not in passed_on


async def test_a_directory_that_cannot_be_made_is_said(checkout: Path) -> None:
    (checkout / "web" / "dist").write_text("in the way")
    said: list[str] = []
    build = page(checkout)
    await build.run(said.append)
    assert build.problem is not None
    assert said == [f"page: {build.problem}"]


async def test_two_processes_build_it_once(checkout: Path) -> None:
    assert await asyncio.gather(built(checkout), built(checkout)) == ["first", "first"]
    assert log(checkout) == ["install", "build"]


async def test_without_a_network_it_says_what_npm_said(checkout: Path) -> None:
    program(checkout, "npm", "#!/bin/sh\necho npm error code ENOTFOUND\nexit 1\n")
    said: list[str] = []
    build = page(checkout)
    await build.run(said.append)
    assert build.files is None
    assert build.problem is not None
    assert "npm cannot install its packages" in build.problem
    assert "ENOTFOUND" in build.problem
    assert said[-1] == f"page: {build.problem}"


async def test_a_failed_build_leaves_nothing(checkout: Path) -> None:
    failing = NODE.replace("mkdir", "echo no such module >&2; exit 1; mkdir")
    program(checkout, "node", failing)
    build = page(checkout)
    await build.run(lambda _: None)
    assert build.problem is not None
    assert "no such module" in build.problem
    assert [path.name for path in (checkout / "web" / "dist").iterdir()] == [".lock"]
    program(checkout, "node", NODE)
    assert await built(checkout) == "first"


@pytest.mark.parametrize("version", ["20.18.3", "21.7.0", "22.11.0"])
async def test_a_node_that_vite_does_not_take_is_passed_over(checkout: Path, version: str) -> None:
    program(checkout, "node", f"#!/bin/sh\necho v{version}\n")
    build = PageBuild({"PATH": str(checkout / "bin"), "LOG": str(checkout / "log")}, checkout)
    await build.run(lambda _: None)
    # The wheel's Node and npm, which development has, take its place: they find no Vite here.
    assert build.problem is not None
    assert build.problem.startswith("it cannot be built")
    assert "vite" in build.problem
    assert not (checkout / "log").exists()


async def test_an_installed_package_has_no_page(tmp_path: Path) -> None:
    assert not PageBuild({}, tmp_path).has_sources
