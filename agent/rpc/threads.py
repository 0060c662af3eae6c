"""listThreads and deleteThread: the conversations of a room."""

from agent.history.message import Thread
from agent.rpc.arguments import ThreadId, caller_of, thread_of
from agent.rpc.history_errors import told_to_caller
from agent.rpc.room_control import RoomControl
from tools.context import ToolContext
from tools.tool import Tool, tool


def thread_methods(control: RoomControl) -> tuple[Tool, ...]:
    """The methods for one room."""

    @tool
    async def list_threads(context: ToolContext) -> dict[str, object]:
        """The threads that the caller may see and that have messages, the room's first."""
        caller = caller_of(context).identity
        await control.conversations.settled()
        with told_to_caller("thread"):
            threads = await control.history.threads(control.room, asker=caller)
        return {"threads": [_as_shape(each) for each in threads]}

    @tool
    async def delete_thread(context: ToolContext, thread: ThreadId) -> dict[str, object]:
        """Erases all messages and answers of a thread."""
        key = thread_of("deleteThread", control.room, thread, caller_of(context))
        count = await control.change(key, lambda changes: changes.delete_all())
        control.tell("thread.deleted", key)
        return {"thread": key.id, "messages": count}

    return list_threads, delete_thread


def _as_shape(thread: Thread) -> dict[str, object]:
    return {
        "id": thread.key.id,
        "scope": thread.key.scope,
        "title": thread.title,
        "messages": thread.messages,
        "lastTimestamp": thread.last_timestamp,
    }
