"""AppTest: runs an app in a test's process."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from livekit import api
from livekit.agents import AgentServer, llm

from agent.app.app import App
from agent.app.app_settings import read_app_settings
from agent.config.setting_sources import given
from agent.config.settings import Settings
from agent.host.room_host import RoomHost
from agent.testing.person import WITHIN, Person

if TYPE_CHECKING:
    from devserver.model import DemoModel

_NUMBERS: Final = itertools.count(1)
_SECRET: Final = "a secret of tests that signs nothing else"  # noqa: S105


class NoRoomServerError(RuntimeError):
    """A part of the checkout is not installed."""


class AppTest:
    """A worker that runs an app, with a room server and a scripted model of its own::

        async with AppTest(app) as test:
            test.model.script(Reply("Hello."))
            alice = await test.enter("alice")
            assert (await alice.ask("Hi")).text == "Hello."

    Attributes:
        model: the demo model, which answers with the replies of `model.script(Reply(…))`, in turn.
    """

    model: DemoModel

    def __init__(self, app: App, *, metadata: str = "", **environ: str) -> None:
        """
        Args:
            metadata: of the dispatch, as JSON.
            environ: settings besides, by their environment variables; also the tools' own. With
                OPENAI_API_KEY or OPENAI_BASE_URL, and LLM_MODEL, the app answers by a real model:
                OpenAI's with a key alone.
        """
        self._app = app
        self._metadata = metadata
        self._environ = environ
        self._stack = AsyncExitStack()
        self._name = f"app-test-{next(_NUMBERS)}"
        self._url = ""
        self._agent_identity = ""
        self._host: RoomHost | None = None

    async def __aenter__(self) -> Self:
        # Imported here: the wheel does not have it.
        try:
            from devserver import RoomServer  # noqa: PLC0415
            from devserver.model import DemoModel  # noqa: PLC0415
        except ImportError as error:
            raise NoRoomServerError(
                f"agent.testing needs the embedded room server, which is in the checkout: {error}"
            ) from error
        try:
            server = await self._stack.enter_async_context(
                RoomServer(api_key=_KEY, api_secret=_SECRET, timing="instant")
            )
            self._url = server.url
            self.model = await self._stack.enter_async_context(DemoModel())
            folder = self._stack.enter_context(tempfile.TemporaryDirectory())
            await self._start(
                {
                    "LIVEKIT_URL": server.url,
                    "LIVEKIT_API_KEY": _KEY,
                    "LIVEKIT_API_SECRET": _SECRET,
                    "AGENT_NAME": self._name,
                    "DATABASE_URL": f"sqlite:///{folder}/history.db",
                    "ATTACHMENTS_DIR": f"{folder}/attachments",
                    "HTTP_PORT": "0",
                    **self._environ,
                    **self._service(),
                }
            )
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def enter(
        self,
        identity: str,
        *,
        name: str = "",
        room: str = "test",
        attributes: Mapping[str, str] | None = None,
    ) -> Person:
        """Joins a room as somebody; returns when the agent is ready.

        Args:
            attributes: that the server vouches for, such as `{"role": "clerk"}`.
        """
        grants = api.VideoGrants(room_join=True, room=room)
        dispatch = api.RoomAgentDispatch(agent_name=self._name, metadata=self._metadata)
        token = (
            api.AccessToken(_KEY, _SECRET)
            .with_identity(identity)
            .with_name(name)
            .with_grants(grants)
            .with_attributes(dict(attributes or {}))
            .with_room_config(api.RoomConfiguration(agents=[dispatch]))
        )
        person = Person(
            self._agent_identity,
            lambda sender, message, owner: self._said(room, sender, message, owner),
        )
        await person.room.connect(self._url, token.to_jwt())
        self._stack.push_async_callback(person.leave)
        await person.agent.ready(WITHIN)
        return person

    def tokens(self, room: str = "test") -> tuple[int, int]:
        """Tokens that the model has read and written in a room, as its service counts them."""
        assert self._host is not None  # noqa: S101 - it has been entered
        return self._host.tokens(room)

    def _service(self) -> dict[str, str]:
        """The demo model's address; a key alone is for OpenAI, and no other service gets it."""
        if given(("OPENAI_API_KEY", "OPENAI_BASE_URL"), self._environ, None):
            return {}
        return {"OPENAI_BASE_URL": self.model.base_url}

    async def _start(self, environ: Mapping[str, str]) -> None:
        settings = Settings.from_environment(environ)
        self._agent_identity = settings.agent_identity
        app_settings = read_app_settings(self._app.settings, environ)
        host = self._host = RoomHost(settings, self._app, app_settings)
        server = host.agent_server()
        registered = asyncio.Event()

        def on_registered(*_: object) -> None:
            registered.set()

        server.once("worker_registered", on_registered)
        running = asyncio.create_task(server.run(), name="worker under test")
        self._stack.push_async_callback(_stop, server, host, running)
        async with asyncio.timeout(WITHIN):
            await registered.wait()

    def _said(
        self, room: str, sender: str, message: str, owner: str | None
    ) -> Sequence[llm.ChatItem]:
        assert self._host is not None  # noqa: S101 - it has been entered
        return self._host.said_about(room, (sender, message), owner)


_KEY: Final = "devkey"


async def _stop(server: AgentServer, host: RoomHost, running: asyncio.Task[None]) -> None:
    await server.aclose()
    await host.aclose()
    await running
