"""The methods for a room's messages: to read it, and to change it."""

from __future__ import annotations

from agent.history.message import Message, Page, ThreadKey
from agent.rpc.answer_methods import answer_methods
from agent.rpc.backend import Backend
from agent.rpc.get_history import get_history_tool
from agent.rpc.get_message import get_message_tool
from agent.rpc.message_methods import message_methods
from agent.rpc.room_control import RoomControl
from agent.rpc.thread_methods import thread_methods
from toolkit.tool import Tool


def room_methods(control: RoomControl, backend: Backend) -> list[Tool]:
    """The methods for one room. Messages before a call are stored before the method reads them."""

    async def read(thread: ThreadKey, asker: str, before: str | None, limit: int) -> Page:
        await control.conversations.settled()
        return await control.history.page(thread, asker=asker, before=before, limit=limit)

    async def find(message_id: str, asker: str) -> tuple[Message, ...]:
        await control.conversations.settled()
        return await control.history.find(control.room, message_id, asker=asker)

    return [
        get_history_tool(control.room, read, backend),
        get_message_tool(control.room, find),
        *answer_methods(control),
        *message_methods(control),
        *thread_methods(control),
    ]
