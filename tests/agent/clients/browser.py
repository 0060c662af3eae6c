"""livekit-client in a real browser: a page with a room, in which examples are run."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from tests.agent.clients.example_client import Console
from tests.chromium import CHROMIUM_ARGUMENTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
LIVEKIT_CLIENT = "livekit-client"
OLD_LIVEKIT_CLIENT = "livekit-client-2.15"
"""One of the versions that know signalling v0 only."""


class BrowserClient:
    """A page whose examples are modules: they may import livekit-client."""

    def __init__(self, page: Page) -> None:
        self.console = Console()
        self.errors: list[str] = []
        """Exceptions that nobody caught."""
        self._page = page
        page.on("console", lambda message: self.console.write(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def connect(self) -> None:
        await self._page.evaluate("room.connect(url, token).then(agentIsReady)")

    async def aclose(self) -> None:
        await self._page.close()
        assert not self.errors, self.errors

    async def add_script(self, script: Path) -> None:
        """Runs a script that modules of examples find the globals of."""
        await self._page.add_script_tag(path=script)

    async def expose(self, name: str, function: Callable[[str, int], Awaitable[int]]) -> None:
        """Lets scripts call a function of the test's by this name."""
        await self._page.expose_function(name, function)

    async def run(self, code: str) -> None:
        await self._page.evaluate("code => runModule(code).then(() => undefined)", code)


class Chromium:
    """Chromium with the page that clients run in; both start when the first page is opened."""

    def __init__(self, executable: str, *, microphone: Path | None = None) -> None:
        """`microphone`: a WAV file that it plays once it is opened; else it beeps."""
        self._executable = executable
        self._arguments: list[str] = [*CHROMIUM_ARGUMENTS]
        if microphone is not None:
            self._arguments.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
        self._stack = contextlib.AsyncExitStack()
        self._browser: Browser | None = None
        self._page_url = ""

    async def open_page(
        self,
        url: str,
        token: str,
        package: str = LIVEKIT_CLIENT,
        options: Mapping[str, object] | None = None,
    ) -> BrowserClient:
        """A page whose examples find `url` and `token` to connect with.

        `package` is the one that they import as `livekit-client`, `options` are its RoomOptions.
        """
        query = urlencode({"package": package, "options": json.dumps(options or {})})
        page = await self.new_page(f"?{query}")
        await page.wait_for_function("window.isLoaded")
        await page.evaluate(
            "names => void Object.assign(window, names)", {"url": url, "token": token}
        )
        return BrowserClient(page)

    async def new_page(self, path: str) -> Page:
        """A page of the page server's."""
        if self._browser is None:
            self._page_url = await self._stack.enter_async_context(_page_server())
            playwright = await self._stack.enter_async_context(async_playwright())
            self._browser = await playwright.chromium.launch(
                executable_path=self._executable, args=self._arguments
            )
            self._stack.push_async_callback(self._browser.close)
        page = await self._browser.new_page()
        await page.goto(self._page_url + path)
        return page

    async def aclose(self) -> None:
        await self._stack.aclose()


@contextlib.asynccontextmanager
async def _page_server() -> AsyncGenerator[str]:
    """Serves the page and livekit-client on loopback; the value is the page's address."""

    async def page(_: web.Request) -> web.FileResponse:
        return web.FileResponse(HERE / "page.html")

    async def blank_page(_: web.Request) -> web.Response:
        return web.Response(text='<!doctype html><div id="root"></div>', content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/blank", blank_page)
    for package in (LIVEKIT_CLIENT, OLD_LIVEKIT_CLIENT):
        app.router.add_static(f"/{package}", PACKAGES / package / "dist")
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port, *_ = runner.addresses[0]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()
