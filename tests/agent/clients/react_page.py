"""LiveKit's React hooks in Chromium: the app in react_app.jsx, which esbuild bundles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page

from tests.agent.clients.browser import PACKAGES, Chromium
from tests.agent.clients.example_client import WITHIN
from tests.agent.clients.node import run_node

_COMPONENTS: Final = PACKAGES / "@livekit" / "components-react"

_BUNDLE: Final = """
import { build } from 'esbuild';
await build({
  entryPoints: ['react_app.jsx'],
  outfile: process.argv[2],
  bundle: true,
  format: 'esm',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'error',
});
"""


async def bundle(directory: Path) -> Path:
    """Bundles the app; skips the test where its packages are not installed."""
    if not _COMPONENTS.exists():
        pytest.skip("no @livekit/components-react: `make setup-clients` installs it")
    script = directory / "react_app.js"
    await run_node(_BUNDLE, str(script))
    return script


class ReactPage:
    """The app's content and actions. Names are those of `window.app` in react_app.jsx."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        """Exceptions that nobody caught."""
        self._page = page
        page.set_default_timeout(WITHIN * 1000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    @classmethod
    async def open(
        cls,
        chromium: Chromium,
        script: Path,
        url: str,
        token: str,
        room_options: Mapping[str, object] | None = None,
    ) -> ReactPage:
        """Opens the app, which is not connected yet."""
        react = cls(await chromium.new_page("blank"))
        await react._page.add_script_tag(path=script, type="module")
        await react.until("Boolean(window.render)")
        await react._page.evaluate(
            "([url, token, options]) => window.render(url, token, options)",
            [url, token, room_options and dict(room_options)],
        )
        await react.until("Boolean(app.start)")
        return react

    async def aclose(self) -> None:
        await self._page.close()
        assert self.errors == []

    async def start(self, *, microphone: bool = False) -> None:
        """Starts the session; returns when the agent is ready."""
        await self._page.evaluate(
            "enabled => app.start({ tracks: { microphone: { enabled } } })", microphone
        )
        await self.until("app.agent.canListen")

    async def send(self, text: str, **options: object) -> str:
        """Writes a message by `useSessionMessages().send`; returns its id."""
        return await self._page.evaluate("([t, o]) => app.send(t, o)", [text, options])

    async def call(self, method: str, payload: str) -> str:
        return await self._page.evaluate(
            "([method, payload]) => app.room.localParticipant.performRpc("
            "{ destinationIdentity: app.agent.identity, method, payload })",
            [method, payload],
        )

    async def get(self, name: str) -> Any:  # noqa: ANN401 - what JavaScript has there
        return await self._page.evaluate(f"app.{name}")

    async def run(self, code: str) -> Any:  # noqa: ANN401 - what JavaScript has there
        return await self._page.evaluate(code)

    async def until(self, condition: str) -> None:
        """Returns when an expression is true."""
        await self._page.wait_for_function(condition)

    async def shows(self, text: str) -> None:
        """Returns when a message with exactly this text is shown."""
        await self._page.wait_for_function(
            "t => app.messages.some((m) => m.message === t)", arg=text
        )

    async def texts(self) -> list[str]:
        """The messages, as they are shown."""
        return [each["message"] for each in await self.get("messages")]

    async def mounts(self) -> list[int]:
        """The numbers of messages mounted, unmounted, and announced by MessageReceived."""
        return [len(await self.get(name)) for name in ("mounted", "unmounted", "received")]
