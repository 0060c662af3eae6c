"""SharedServices: the stores, models, tools and accounts that the rooms of one process share."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol

from livekit import api
from pydantic import BaseModel

from agent.accounts.accounting import Accounting
from agent.app.app import App
from agent.app.hooks import HookError
from agent.chat.tenure import Tenure
from agent.config.proxies import Proxies
from agent.config.settings import Settings
from agent.erasure.eraser import Eraser
from agent.erasure.retention import Retention
from agent.files.files import Files
from agent.files.sweep import Sweep
from agent.history.errors import HistoryError
from agent.history.open_history import database_name, open_history
from agent.host.closing import Closing
from agent.host.readiness import LastSeen
from agent.host.server_api import ServerApi
from agent.host.tool_sources import mcp_servers
from agent.inbox.people import Directory
from agent.limits.process_limits import ProcessLimits
from agent.models.service import ModelService
from agent.room.leaving import LeavingTime
from agent.room.room_assignment import RoomAssignment
from agent.room.room_session import RoomSession
from agent.room.stores import Stores
from toolkit.settings import ToolSettings
from toolkit.tool import Tool
from toolkit.toolbox import Toolbox

logger = logging.getLogger(__name__)

LEAVING_ENDS: Final = 0.5
"""All rooms must be left this many seconds before their deadline."""


class _Closable(Protocol):
    def aclose(self) -> Coroutine[Any, Any, None]: ...


class SharedServices:
    """Opens the stores, the model service, the tools and the MCP servers, and makes rooms that use
    them.

    Everything but the constructor runs on the loop of the rooms.

    Attributes:
        limits: rates and budgets of all rooms together.
    """

    def __init__(
        self,
        settings: Settings,
        app: App,
        app_settings: Sequence[BaseModel],
        *,
        proxies: Proxies,
        on_main_thread: Callable[[Callable[[], None]], Awaitable[None]],
    ) -> None:
        """
        Args:
            on_main_thread: runs a function on the process's main thread, as plugins require.

        Raises:
            AppError: the app's store cannot be made, or its headers are for no MCP server.
            InvalidValueError: DATABASE_URL names no database.
        """
        self._settings = settings
        self._app = app
        self._app_settings = app_settings
        self._proxies = proxies
        self._on_main_thread = on_main_thread
        self._toolbox: Toolbox | None = None
        self._mcp = mcp_servers(settings, app, proxies, self._on_tools_changed)
        self._models: ModelService | None = None
        self._api: api.LiveKitAPI | None = None
        store = None if app.store_maker is None else app.store_maker()
        self.history = open_history(settings.database_url, store, log_content=settings.log_content)
        self.limits = ProcessLimits(settings, self.history.token_usage)
        self._accounting = Accounting(settings, proxies, self.history.accounts)
        self.files = Files.of(settings)
        self._sweep = Sweep(
            self.files.store,
            self.history.attached_content,
            database_name(settings.database_url, store),
            quarantine_days=settings.quarantine_days,
        )
        self._eraser = Eraser(self.history, self.files.store, self.files.contents.forget)
        self._retention = Retention(self._eraser, days=settings.retention_days)
        self._leaving_time = LeavingTime()
        self._has_database: bool | None = None

    @property
    def database(self) -> LastSeen:
        if self._has_database is None:
            return LastSeen.UNKNOWN
        return LastSeen.of(works=self._has_database and self.history.healthy)

    @property
    def model(self) -> LastSeen:
        return LastSeen.of(works=None if self._models is None else self._models.health.works)

    async def open(self, patience: float) -> None:
        """Opens them all; waits at most `patience` seconds for the MCP servers. If a store cannot
        be opened, that is logged, and rooms continue without it."""
        await self.run_hook("on_start")
        if self._mcp is not None:
            self._mcp.start()
        await self._open_stores()
        await self._rehearse()
        if self._mcp is not None:
            await self._mcp.tried(patience)

    def open_session(self, assignment: RoomAssignment, tenure: Tenure) -> RoomSession:
        settings = self._settings
        if self._toolbox is None:
            tool_settings = ToolSettings(*self._app_settings, proxy_for=self._proxies.for_url)
            self._toolbox = Toolbox(self._app.tools, tool_settings, more=self._mcp_tools)
        if self._models is None:
            self._models = ModelService(
                settings, self._app, self._proxies, on_main_thread=self._on_main_thread
            )
        if self._api is None:
            self._api = ServerApi.of(settings, self._proxies)
        return RoomSession(
            assignment,
            tenure=tenure,
            settings=settings,
            app=self._app,
            toolbox=self._toolbox,
            models=self._models,
            directory=Directory(self._api, assignment.room),
            stores=Stores(self.history, self.files, self._eraser),
            accounts=self._accounting.accounts,
            limits=self.limits,
            leaving_time=self._leaving_time,
        )

    def hasten(self, closing: Closing) -> None:
        """The process closes: rooms end in their time, and what waits for the database is written
        without long pauses."""
        self._leaving_time.hasten(closing.left(closing.rooms) - LEAVING_ENDS)
        self.history.hurry()

    async def aclose(self, closing: Closing, also: Mapping[str, Awaitable[object]]) -> None:
        """Closes what writes into the stores, and all connections, and then the stores.

        Args:
            also: what is closed at the same time as the first of these, by name.
        """
        parts: dict[str, _Closable | None] = {
            "MCP servers": self._mcp,
            "models": self._models,
            "tools": self._toolbox,
            "the server's API": self._api,
            "accounts": self._accounting,
            "the sweep of files": self._sweep,
            "limits": self.limits,
            "retention": self._retention,
        }
        works = {name: part.aclose() for name, part in parts.items() if part is not None}
        await closing.steps({**also, **works}, by=closing.services)
        history = self.history.aclose(longest=closing.writing)
        stores = {"history": history, "files": self.files.aclose()}
        await closing.steps(stores, by=closing.history)

    async def run_hook(self, name: str) -> None:
        """One of the worker's own hooks, where the app has it; one that fails is logged."""
        if getattr(self._app.hooks, name) is not None:
            with contextlib.suppress(HookError):
                await self._app.hooks.run(name)

    async def _open_stores(self) -> None:
        await self.files.store.open()
        if self._app.store_maker is not None:
            logger.info("history: %s", self.history)
        try:
            await self.history.migrate()
        except HistoryError as error:
            logger.error("history database unusable; rooms continue without history: %s", error)
            self._has_database = False
        else:
            self._has_database = True
            self._sweep.start()
            self._retention.start()
            self._accounting.start()
        logger.info("history: %s", "healthy" if self.history.healthy else "unavailable")

    async def _rehearse(self) -> None:
        """Warms up: runs the slow first-time work before the first room needs it."""
        try:
            nowhere = RoomAssignment(room="rehearsal", url="", token="")
            await self.open_session(nowhere, Tenure()).rehearse()
        except Exception:
            # The boundary of an optional step.
            logger.exception("warming up a room failed; the first room will be slower")

    def _on_tools_changed(self) -> None:
        if self._toolbox is not None:
            self._toolbox.tell_watchers()

    def _mcp_tools(self) -> list[Tool]:
        return [] if self._mcp is None else self._mcp.tools()
