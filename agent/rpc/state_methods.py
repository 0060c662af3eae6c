"""getState and patchState: a conversation's shared state, as RPC methods."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agent.config.setting_types import StateWriters
from agent.contract.answers import State, StateRevision
from agent.rpc.arguments import ThreadId, caller_of, read_thread
from agent.rpc.permissions import check_state_writer
from agent.state.json_patch import MAX_OPERATIONS
from agent.state.room_states import RoomStates
from toolkit.context import ToolContext
from toolkit.tool import Tool, tool


def state_methods(room: str, states: RoomStates, writers: StateWriters) -> tuple[Tool, ...]:
    """The methods for one room.

    Args:
        writers: who may change states.
    """

    @tool
    async def get_state(
        context: ToolContext,
        thread: ThreadId = "room",
        pointer: Annotated[str, Field(description="JSON pointer", max_length=1_000)] = "",
    ) -> State:
        """The state that the room, or you privately, share with the agent."""
        key = read_thread("getState", room, thread, context)
        revision, state = await states.of(key.owner).read(pointer)
        return {"thread": key.id, "revision": revision, "state": state}

    @tool
    async def patch_state(
        context: ToolContext,
        patch: Annotated[
            list[dict[str, object]],
            Field(description="JSON patch, RFC 6902", min_length=1, max_length=MAX_OPERATIONS),
        ],
        thread: ThreadId = "room",
        revision: Annotated[
            int | None, Field(description="the revision that the patch applies to", ge=0)
        ] = None,
    ) -> StateRevision:
        """Change that state by a JSON patch, all of it or nothing."""
        key = read_thread("patchState", room, thread, context)
        check_state_writer(writers, key, caller_of(context))
        new = await states.of(key.owner).change(patch, expected=revision)
        return {"thread": key.id, "revision": new}

    return get_state, patch_state
