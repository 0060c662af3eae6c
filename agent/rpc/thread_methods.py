"""listThreads, deleteThread and getSummary: the conversations of a room."""

from agent.contract.answers import Summary, ThreadDeleted, ThreadList
from agent.contract.messages import Thread as ThreadShape
from agent.history.message import Thread
from agent.models.summariser import SummaryError
from agent.rpc.arguments import ThreadId, caller_of, read_thread, thread_of
from agent.rpc.history_errors import RETRY_AFTER, told_to_caller
from agent.rpc.room_control import RoomControl
from toolkit.context import ToolContext
from toolkit.errors import Unavailable
from toolkit.tool import Tool, tool

SUMMARY_TIMEOUT = 60.0
"""Seconds that the model may take; if a caller does not wait that long, the next one gets the
summary."""


def thread_methods(control: RoomControl) -> tuple[Tool, ...]:
    """The methods for one room."""

    @tool
    async def list_threads(context: ToolContext) -> ThreadList:
        """The threads that the caller may see and that have messages, the room's first."""
        caller = caller_of(context).identity
        await control.conversations.settled()
        with told_to_caller("thread"):
            threads = await control.history.threads(control.room, asker=caller)
        if any(each.key.owner is not None for each in threads):
            context.keep_confidential()
        return {"threads": [_as_shape(each) for each in threads]}

    @tool
    async def delete_thread(context: ToolContext, thread: ThreadId) -> ThreadDeleted:
        """Erases all messages and answers of a thread, and its shared state."""
        key = thread_of("deleteThread", control.room, thread, caller_of(context))
        await control.states.clear(key.owner)
        count = await control.change(key, lambda changes: changes.delete_all())
        control.part_actions.forget_all(key.owner)
        control.tell("thread.deleted", key)
        return {"thread": key.id, "messages": count}

    @tool(timeout=SUMMARY_TIMEOUT)
    async def get_summary(context: ToolContext, thread: ThreadId = "room") -> Summary:
        """A short summary of the conversation in the room, or in private with the agent."""
        key = read_thread("getSummary", control.room, thread, context)
        try:
            with told_to_caller("thread"):
                summary = await control.conversations.summary(key)
        except SummaryError:
            raise Unavailable("There is no summary right now", retry_after=RETRY_AFTER) from None
        if summary is None:
            return {"thread": key.id, "summary": ""}
        return {
            "thread": key.id,
            "summary": summary.text,
            "upTo": summary.through.id,
            "upToSenderId": summary.through.sender_id,
        }

    return list_threads, delete_thread, get_summary


def _as_shape(thread: Thread) -> ThreadShape:
    return {
        "id": thread.key.id,
        "scope": thread.key.scope,
        "title": thread.title,
        "messages": thread.messages,
        "lastTimestamp": thread.last_timestamp,
    }
