"""`dev` serves the page; its sources are what TypeScript expects."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import aiohttp
from playwright.async_api import Browser

from agent.cli.page_build import CHECKOUT, PageBuild
from tests.agent.cli.command_line import CommandLine
from tests.agent.clients.room_agent import run_npm
from tests.web.page_person import PagePerson


async def test_dev_prints_the_address_first_and_a_newcomer_gets_an_answer(
    tmp_path: Path, browser: Browser, build: PageBuild
) -> None:
    line = CommandLine(tmp_path)
    async with line.running("dev", "--port", "0") as running:
        output = await running.says("Ctrl-C stops everything.")
        first = next(each for each in output.splitlines() if each.strip())
        address = re.fullmatch(r"  page +(http://127\.0\.0\.1:\d+)  ", first)
        assert address is not None, output
        person = await PagePerson.open(await browser.new_context(), address[1])
        await person.writes("What time is it in Tokyo?")
        answer = await person.sees("I am the demo model")
        assert "getCurrentTime" in await answer.inner_text()
        await person.aclose()
        assert await running.stop(signal.SIGTERM) == 0
        assert "Traceback" not in running.output
    async with aiohttp.ClientSession() as http:
        try:
            await http.get(address[1])
        except aiohttp.ClientConnectionError:
            pass
        else:
            raise AssertionError("the page is still served")


async def test_types(build: PageBuild) -> None:
    # web/test/room_like.ts: livekit-client's Room is what the client package takes for a room.
    compiler = CHECKOUT / "web" / "node_modules" / ".bin" / "tsc"
    await run_npm("-p", "tsconfig.json", cwd=CHECKOUT / "web", executable=str(compiler))
