"""Fixtures for the page of `dev`: built once, served for the tests' room server and worker."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, async_playwright

from agent.cli.page_build import PageBuild
from agent.cli.page_server import PageServer, serving_page
from agent.cli.target import Target
from tests.agent.conftest import Enter, StartWorker, Worker, enter, model, start_worker
from tests.chromium import CHROMIUM_ARGUMENTS, browser_on_path
from tests.room_server import RoomServerUnderTest
from tests.web.page_person import PagePerson

__all__ = ["Enter", "enter", "model", "start_worker"]


class OpenPage(Protocol):
    """Opens the page of the test's room for somebody, with a browser profile of their own.

    `options` are Playwright's for a context; `query` goes into the address.
    """

    async def __call__(
        self,
        identity: str,
        *,
        name: str = "",
        options: Mapping[str, object] | None = None,
        **query: str,
    ) -> PagePerson: ...


@pytest.fixture(scope="package")
async def build() -> PageBuild:
    """The page, built; the tests are skipped where its packages cannot be installed."""
    build = PageBuild(os.environ)
    await build.run(print)
    if build.problem and "npm cannot install" in build.problem:
        pytest.skip(f"no packages of web/: {build.problem.splitlines()[0]}")
    assert build.problem is None
    return build


@pytest.fixture(scope="package")
async def browser() -> AsyncGenerator[Browser]:
    executable = browser_on_path()
    if executable is None:
        pytest.skip("no Chromium: `make setup-clients` installs it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=CHROMIUM_ARGUMENTS
        )
        yield browser
        await browser.close()


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker()


@pytest.fixture
def room_url(room_server: RoomServerUnderTest) -> str:
    """The room server for the page."""
    return room_server.url


@pytest.fixture
async def page_server(
    build: PageBuild, room_server: RoomServerUnderTest, room_url: str, worker: Worker
) -> AsyncGenerator[PageServer]:
    target = Target(
        url=room_url,
        api_key=room_server.api_key,
        api_secret=room_server.api_secret,
        agent_name=worker.name,
        agent_identity="agent",
        reply_topic="llm-response",
    )
    async with serving_page(build, target) as server:
        yield server


@pytest.fixture
async def open_page(
    browser: Browser, page_server: PageServer, room_name: str
) -> AsyncGenerator[OpenPage]:
    async with AsyncExitStack() as stack:

        async def open_for(
            identity: str,
            *,
            name: str = "",
            options: Mapping[str, object] | None = None,
            **query: str,
        ) -> PagePerson:
            context = await browser.new_context(**(options or {}))  # pyright: ignore[reportArgumentType] - a mixture
            asked = {"room": room_name, "identity": identity, "name": name or identity, **query}
            person = await PagePerson.open(context, f"{page_server.url}/?{urlencode(asked)}")
            stack.push_async_callback(person.aclose)
            return person

        yield open_for


@pytest.fixture
async def alice(open_page: OpenPage) -> PagePerson:
    return await open_page("alice", name="Alice A.")


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Bob, see you on Monday.")
    return path
