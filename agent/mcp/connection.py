"""McpConnection: one MCP server, connected, watched, and connected again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar, cast

from mcp import MCPError

from agent.app.header_makers import HeaderMaker
from agent.config.mcp_servers import HttpServer, StdioServer
from agent.mcp.authorization import ServerHeaders
from agent.mcp.lone_call import lone_call
from agent.mcp.result import text_of
from agent.mcp.server_questions import ServerQuestions
from agent.mcp.server_tools import MAX_TOOLS, ServerTools
from agent.mcp.session import McpSession, Streams
from agent.mcp.transport import direct, open_streams
from agent.tasks import Tasks
from toolkit.context import ToolContext
from toolkit.errors import ToolError, Unavailable
from toolkit.tool import Tool

T = TypeVar("T")

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 30.0
"""Seconds until a server has answered for the first time; a program may have to be fetched."""

SESSION_MARGIN = 5.0
"""Seconds by which a session's timeout exceeds those of a tool and of connecting, whose errors say
more."""

CHECK_INTERVAL = 15.0
CHECK_TIMEOUT = 5.0
CLOSE_TIMEOUT = 10.0
"""Seconds; a program is given some to end by itself (mcp, client/stdio.py)."""

LIST_PAUSE = 1.0
"""Seconds between two lists of tools for a server that says over and over that they change."""

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
STABLE = 60.0
"""Seconds after which a connection counts as one that works, and the next delay is the first."""


class McpConnection:
    """Keeps one server connected, and its tools callable.

    The server is asked for its tools at intervals, and at once when it says that they have changed,
    or a call goes wrong. If it does
    not answer in time, it is connected again, with growing delays. Once known, its tools stay: a
    call while the server is unavailable is answered with Unavailable.

    Calls share the connection, unless they may ask something or have headers of their callers':
    then each has a session of its own.

    Args:
        on_change: called when the tools change, or whether they can be called.
        proxy_for: the proxy that a URL is reached through, if any.
        headers: the app's function that makes headers for a server behind a URL.
    """

    def __init__(
        self,
        name: str,
        settings: StdioServer | HttpServer,
        *,
        on_change: Callable[[], None],
        proxy_for: Callable[[str], str | None] = direct,
        headers: HeaderMaker | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._on_change = on_change
        self._proxy_for = proxy_for
        self._tools = ServerTools(name, settings, self._call)
        self._headers = (
            ServerHeaders(settings, headers) if isinstance(settings, HttpServer) else None
        )
        self._calls_alone = (
            settings.elicitation
            or settings.sampling
            or (self._headers is not None and self._headers.differ)
        )
        self._session: McpSession | None = None
        self._suspicion = asyncio.Event()
        self._tried = asyncio.Event()
        self._tasks = Tasks()
        self._requests: set[asyncio.Task[Any]] = set()

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The server's tools, also while it is disconnected."""
        return self._tools.tools

    @property
    def is_up(self) -> bool:
        """Whether the server answered when it was last asked."""
        return self._session is not None

    def start(self) -> None:
        """Begins to connect."""
        self._tasks.keep(self._keep_connected, name=f"MCP server {self.name}")

    async def tried(self) -> None:
        """Returns when the first attempt has succeeded or failed."""
        await self._tried.wait()

    async def aclose(self) -> None:
        """Closes the connection, and the program if it is one."""
        await self._tasks.aclose()

    async def _keep_connected(self) -> None:
        clock = asyncio.get_running_loop().time
        delay = FIRST_DELAY
        patience = max(self._settings.timeout, CONNECT_TIMEOUT) + SESSION_MARGIN
        while True:
            session = McpSession(
                self._streams(None), patience=patience, on_tools=self._suspicion.set
            )
            connected = clock()
            try:
                await self._connect(session)
                connected = clock()
                await self._watch(session)
            except Exception as error:
                # The boundary around one server: the others, and all rooms, go on. Only the
                # error's kind is logged, for its words may have secrets in them.
                logger.warning(
                    "MCP server %s unavailable, reconnecting: %s", self.name, _kind(error)
                )
            finally:
                self._session = None
                self._tried.set()
                await self._close(session)
            self._on_change()
            if clock() - connected > STABLE:
                delay = FIRST_DELAY
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - to spread attempts
            delay = min(delay * 2, LONGEST_DELAY)

    async def _connect(self, session: McpSession) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await session.open()
            await self._list_tools(session)
        logger.info("MCP server %s connected, %s tools", self.name, len(self.tools))
        self._tried.set()

    async def _watch(self, session: McpSession) -> None:
        """Asks for the tools at intervals; raises when there is no answer."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_INTERVAL):
                    await self._suspicion.wait()
            # Before it is asked: it may say meanwhile that they have changed again.
            self._suspicion.clear()
            async with asyncio.timeout(CHECK_TIMEOUT):
                await self._list_tools(session)
            await asyncio.sleep(LIST_PAUSE)

    async def _list_tools(self, session: McpSession) -> None:
        listed = await self._request(session.list_tools(MAX_TOOLS))
        was_up, self._session = self.is_up, session
        if self._tools.take(listed) or not was_up:
            self._on_change()

    async def _close(self, session: McpSession) -> None:
        # In a task of its own, so that a cancellation of this one does not cut it short: the
        # program must have ended when this connection has.
        closing = asyncio.create_task(self._end(session), name=f"close MCP server {self.name}")
        try:
            await asyncio.wait([closing])
        finally:
            await asyncio.wait([closing])

    async def _end(self, session: McpSession) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await session.aclose()
                if self._requests:
                    await asyncio.wait(self._requests)
        except Exception as error:
            # The boundary around one server, as above: it is given up in any case.
            logger.info("MCP connection to %s closed with %s", self.name, _kind(error))

    async def _call(self, name: str, arguments: dict[str, object], context: ToolContext) -> str:
        session = self._session
        if session is None:
            raise Unavailable(f"The MCP server {self.name} cannot be reached")
        try:
            result = await self._answer(session, name, arguments, context)
        except asyncio.CancelledError:
            self._suspicion.set()  # It may have taken too long.
            raise
        except ToolError:
            raise
        except Exception as error:
            # The boundary to another program: whatever the transport raises. Only its kind is
            # logged, as above.
            self._suspicion.set()
            logger.warning("MCP server %s: tool call failed: %s", self.name, _kind(error))
            raise Unavailable(f"The MCP server {self.name} did not answer") from None
        return text_of(result, name)

    async def _answer(
        self, session: McpSession, name: str, arguments: dict[str, object], context: ToolContext
    ) -> Mapping[str, object]:
        if not self._calls_alone:
            return await self._request(session.call(name, arguments))
        questions = ServerQuestions(
            self.name,
            context,
            elicits=self._settings.elicitation,
            samples=self._settings.sampling,
        )
        own = McpSession(
            self._streams(context, is_call=True),
            patience=None,
            on_tools=self._suspicion.set,
            questions=questions.callbacks(),
        )
        try:
            return await lone_call(own, name, arguments, self._tasks)
        except MCPError:
            # Servers describe it in the same words, or not at all.
            if questions.refusal is not None:
                raise questions.refusal from None
            raise

    def _streams(self, context: ToolContext | None, *, is_call: bool = False) -> Streams:
        """Streams of a session; raises NotAllowed for a call whose caller lacks a header."""
        caller = None if context is None else context.caller
        auth = None if self._headers is None else self._headers.of(caller, is_call=is_call)
        return open_streams(self._settings, self._proxy_for, auth)

    async def _request(self, request: Coroutine[Any, Any, T]) -> T:
        """Waits for an answer; a cancellation takes effect at once.

        mcp notifies the server of a cancelled request, which takes up to 5 s if the server does not
        read (_ABANDON_WRITE_TIMEOUT in mcp/shared/jsonrpc_dispatcher.py). It does so in a task of
        its own here, and `_end` waits for it.
        """
        task = asyncio.create_task(request, name=f"request to MCP server {self.name}")
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            raise


def _kind(error: BaseException) -> str:
    """Returns the cause of a failure in one word; of an exception group, its first error's."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return type(error).__name__
