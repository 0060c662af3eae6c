"""RoomStates: the shared states of one room, its own and those of private conversations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from agent.history.message import ThreadKey
from agent.history.states import States
from agent.state.shared_state import SharedState
from agent.tasks import Tasks
from agent.wire.envelope import encode
from agent.wire.notices import Notices

MAX_PATCH_BYTES: Final = 10_000
"""Longest patch in a notice, in bytes; after a longer one clients read the state."""


class RoomStates:
    """Opens a state on first use, and notifies everybody who may see it of each change."""

    def __init__(self, states: States, room: str, notices: Notices, *, max_bytes: int) -> None:
        self._states = states
        self._room = room
        self._notices = notices
        self._max_bytes = max_bytes
        self._open: dict[str | None, SharedState] = {}
        self._tasks = Tasks()

    def of(self, owner: str | None) -> SharedState:
        """The state of the room's conversation (None), or of somebody's private one."""
        state = self._open.get(owner)
        if state is None:
            thread = ThreadKey(self._room, owner)

            def changed(revision: int, patch: Sequence[object]) -> None:
                self._tell(thread, revision, patch)

            state = self._open[owner] = SharedState(
                self._states, thread, max_bytes=self._max_bytes, on_change=changed
            )
        return state

    async def clear(self, owner: str | None) -> None:
        """Makes it an empty object: the conversation was deleted. Raises ToolError."""
        await self.of(owner).patch({"op": "replace", "path": "", "value": {}})

    def release(self, identity: str) -> None:
        """Closes the state of somebody who is gone; it is read again when they are back."""
        state = self._open.pop(identity, None)
        if state is not None:
            self._tasks.start(state.aclose(), name="close a shared state")

    async def aclose(self) -> None:
        """Stores pending changes."""
        await asyncio.gather(*(state.aclose() for state in self._open.values()))
        await self._tasks.ended()

    def _tell(self, thread: ThreadKey, revision: int, patch: Sequence[object]) -> None:
        fits = len(encode({"patch": list(patch)})) <= MAX_PATCH_BYTES
        self._notices.tell(
            thread.owner,
            "state.changed",
            "",
            thread=thread.id,
            revision=revision,
            patch=list(patch) if fits else None,
        )
