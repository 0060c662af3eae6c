"""getHistory: the history by pages, as an RPC method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import Field

from agent.contract.messages import HistoryPage, StoredMessage
from agent.history.history import MAX_PAGE
from agent.history.message import Message, Page, ThreadKey
from agent.rpc.arguments import BackendToken, any_thread, caller_of, read_thread
from agent.rpc.backend import Backend
from agent.rpc.history_errors import told_to_caller
from agent.rpc.message_shape import PAGE_BYTES, as_part, as_shape
from agent.wire.envelope import encode
from toolkit.context import ToolContext
from toolkit.tool import Tool, tool

ReadPage = Callable[[ThreadKey, str, str | None, int], Awaitable[Page]]
"""Reads a page: of a thread, on behalf of an identity, before a cursor, of so many messages."""


def get_history_tool(room: str, read: ReadPage, backend: Backend) -> Tool:
    """The method for one room; the backend reads any thread."""

    @tool
    async def get_history(
        context: ToolContext,
        thread: Annotated[str, Field(description="room, or private: and your identity")] = "room",
        before: Annotated[
            str | None, Field(description="nextBefore of the page that follows", max_length=256)
        ] = None,
        limit: Annotated[int, Field(description="messages at most", ge=1, le=MAX_PAGE)] = 50,
        token: BackendToken = None,
    ) -> HistoryPage:
        """The newest messages in the room, or in private with the agent, oldest first."""
        if backend.is_proven(context.caller, token):
            key = any_thread(room, thread, context)
            asker = key.owner or caller_of(context).identity
        else:
            key = read_thread("getHistory", room, thread, context)
            asker = caller_of(context).identity
        with told_to_caller("before"):
            return fit(await read(key, asker, before, limit))

    return get_history


def fit(page: Page) -> HistoryPage:
    """A page on the wire: as many of its newest messages as fit, but one at least.

    They are chosen by when they were stored, and sorted by position.

    A message that is too long for a page of its own is cut, and says so; getMessage has the rest.
    """
    shown: list[tuple[int, StoredMessage]] = []
    size = 0
    next_before = page.next_before
    following: Message | None = None
    for message in reversed(page.messages):
        shape = as_shape(message)
        width = len(encode(shape)) + 1
        if size + width > PAGE_BYTES:
            if following is not None:
                next_before = following.cursor
                break
            shape, width = as_part(message), PAGE_BYTES
        shown.append((message.position or 0, shape))
        size += width
        following = message
    shown.sort(key=lambda each: each[0])
    whole: HistoryPage = {"messages": [shape for _, shape in shown]}
    if next_before is not None:
        whole["nextBefore"] = next_before
    return whole
