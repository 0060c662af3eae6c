"""Arguments of the room's own methods: the caller, messages, threads."""

from typing import Annotated

from pydantic import Field

from agent.history.message import MAX_ID_LENGTH, ThreadKey
from agent.rpc.history_errors import told_to_caller
from agent.rpc.permissions import check_thread
from toolkit.caller import Caller
from toolkit.context import ToolContext
from toolkit.errors import NotAllowed

MessageId = Annotated[
    str,
    Field(
        description="id of a message, or of an answer (its lk.segment_id)",
        min_length=1,
        max_length=MAX_ID_LENGTH,
    ),
]
BackendToken = Annotated[
    str | None,
    Field(
        description="access token with roomAdmin for this room, signed with the API secret",
        max_length=8_192,
    ),
]
ThreadId = Annotated[str, Field(description="room, or private: and your identity")]


def caller_of(context: ToolContext) -> Caller:
    """The caller; raises NotAllowed if the call has no particular one."""
    if context.caller is None:
        raise NotAllowed("Only participants may do this")
    return context.caller


def thread_of(method: str, room: str, thread: str, caller: Caller) -> ThreadKey:
    """The thread that is named, if the caller may do this to it; raises ToolError."""
    with told_to_caller("thread"):
        key = ThreadKey.from_id(room, thread)
    check_thread(method, key, caller)
    return key


def any_thread(room: str, thread: str, context: ToolContext) -> ThreadKey:
    """The named thread of any owner, for a backend; raises InvalidArguments."""
    with told_to_caller("thread"):
        key = ThreadKey.from_id(room, thread)
    if key.owner is not None:
        context.keep_confidential()
    return key


def read_thread(method: str, room: str, thread: str, context: ToolContext) -> ThreadKey:
    """As `thread_of`, for a method that returns content of the thread: of somebody's own
    thread, nobody else may read the answer."""
    key = thread_of(method, room, thread, caller_of(context))
    if key.owner is not None:
        context.keep_confidential()
    return key
