"""The quick starts of `livekit-devserver` in Node and Go, in empty projects."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.chromium import CHROMIUM_ARGUMENTS, browser_on_path
from tests.devserver.distribution import WITHIN, installed, run, write_examples

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(4 * WITHIN), pytest.mark.lengthy]

NO_NPM_REGISTRY = (
    *("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "EAI_AGAIN", "ENETUNREACH", "ETIMEDOUT"),
    "E403",  # a proxy that lets nobody through
)
NO_GO_PROXY = (
    *("dial tcp", "no such host", "connection reset", "403 Forbidden", "GOPROXY=off"),
    *("toolchain not available", "GOTOOLCHAIN=local"),  # an older Go than the SDK wants
)
GO_SDK = "github.com/livekit/server-sdk-go/v2@v2.19.0"


def npm_project(directory: Path, *packages: str) -> None:
    if shutil.which("npm") is None:
        pytest.skip("no npm on PATH")
    for command in (("init", "-y"), ("install", "--no-audit", "--no-fund", *packages)):
        installed(run("npm", *command, cwd=directory), *NO_NPM_REGISTRY)


def test_vitest(programs: Path, tmp_path: Path) -> None:
    npm_project(tmp_path, "vitest@4", "@livekit/rtc-node@1", "livekit-server-sdk@2")
    write_examples(tmp_path, "livekit-server.mjs", "vitest.config.mjs", "room.test.mjs")
    tests = run("npx", "vitest", "run", cwd=tmp_path, path=programs)
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert "2 passed" in tests.stdout


def test_playwright(programs: Path, tmp_path: Path) -> None:
    chromium = browser_on_path()
    if chromium is None:
        pytest.skip("no Chromium: `make setup-clients` installs it")
    npm_project(tmp_path, "@playwright/test@1", "livekit-client@2", "livekit-server-sdk@2")
    write_examples(tmp_path, "livekit-server.mjs", "playwright.config.mjs", "room.spec.mjs")
    # The browser of this machine in place of Playwright's own.
    options = {"executablePath": chromium, "args": list(CHROMIUM_ARGUMENTS)}
    config = tmp_path / "playwright.config.mjs"
    config.write_text(
        config.read_text().replace("testMatch:", f"use: {{ launchOptions: {options} }}, testMatch:")
    )
    tests = run("npx", "playwright", "test", cwd=tmp_path, path=programs)
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert "1 passed" in tests.stdout


def test_go(programs: Path, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("no go on PATH")
    write_examples(tmp_path, "room_test.go")
    assert run("gofmt", "-l", ".", cwd=tmp_path).stdout == ""
    for command in (("mod", "init", "lobby"), ("get", GO_SDK), ("mod", "tidy")):
        installed(run("go", *command, cwd=tmp_path), *NO_GO_PROXY)
    tests = run("go", "test", "-v", "./...", cwd=tmp_path, path=programs)
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert tests.stdout.count("--- PASS") == 2
