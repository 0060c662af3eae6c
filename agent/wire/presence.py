"""Presence: the participant attributes that show the agent's state to clients."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Final, Literal

from livekit import rtc

from agent.tasks import Tasks

logger = logging.getLogger(__name__)

STATE = "lk.agent.state"
"""livekit's own attribute (components-core, useAgent): see AgentState."""
READY = "agent.ready"
"""Comma-separated names of the RPC methods, set once they can be called."""
ACTIVE: Final = "agent.active"
"""Which agent of the app answers in the room's conversation, as JSON `{"name", "displayName"}`;
only where the app has several."""
SEND_TIMEOUT = 10.0
SETTLING = 0.05
"""Seconds that a state must last before it is published. Nobody can see a shorter one, and
publishing it costs the server a message to everybody in the room."""
MAX_SETTLING = 0.5
"""Seconds after which the current state is published, if none lasts."""

AgentState = Literal["initializing", "listening", "thinking", "speaking"]
_BUSIEST_FIRST: tuple[AgentState, ...] = ("speaking", "thinking")


class Presence:
    """The one writer of the agent's attributes.

    Several conversations may be busy at once; the busiest one counts. Changes during SETTLING or
    during a write go out as one write with the latest state.
    """

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self._busy: dict[object, AgentState] = {}
        self._methods: tuple[str, ...] | None = None
        self._is_deaf = False
        self._active = ""
        self._written: dict[str, str] = {}
        self._since = 0.0
        self._changed = asyncio.Event()
        self._tasks = Tasks()

    @property
    def state(self) -> AgentState:
        """The value of `lk.agent.state`, now or in a moment."""
        if self._methods is None:
            return "initializing"
        active = set(self._busy.values())
        for state in _BUSIEST_FIRST:
            if state in active:
                return state
        return "initializing" if self._is_deaf else "listening"

    def start(self, methods: tuple[str, ...]) -> None:
        """Begins to publish the agent's state, and the RPC methods that can be called."""
        self._methods = methods
        self._changed.set()
        self._tasks.keep(self._write_all, name="presence")

    def set_methods(self, methods: tuple[str, ...]) -> None:
        """Publishes the RPC methods that can be called."""
        self._methods = methods
        self._changed.set()

    def set_agent(self, name: str, display_name: str) -> None:
        """Publishes which agent of the app answers in the room's conversation."""
        shape = {"name": name, "displayName": display_name}
        self._active = json.dumps(shape, ensure_ascii=False)
        self._changed.set()

    def set(self, who: object, state: AgentState) -> None:
        """Notes the state of one conversation; `listening` means idle."""
        former = self.state
        if state == "listening":
            self._busy.pop(who, None)
        else:
            self._busy[who] = state
        self._note_change(former)

    def set_deaf(self, is_deaf: bool) -> None:
        """Notes whether a participant has a microphone that the agent cannot hear yet: until it
        can, the state is not `listening`."""
        former = self.state
        self._is_deaf = is_deaf
        self._note_change(former)

    def repeat(self) -> None:
        """Writes all attributes again, such as after the server has lost them."""
        self._written.clear()
        self._changed.set()

    async def aclose(self) -> None:
        await self._tasks.aclose()

    def _note_change(self, former: AgentState) -> None:
        if self.state != former:
            self._since = asyncio.get_running_loop().time()
            self._changed.set()

    async def _write_all(self) -> None:
        self.repeat()
        while True:
            await self._changed.wait()
            if self._written:
                await self._settled()
            self._changed.clear()
            wanted = {STATE: self.state, READY: ",".join(self._methods or ())}
            if self._active:
                wanted[ACTIVE] = self._active
            changes = {k: v for k, v in wanted.items() if self._written.get(k) != v}
            if not changes:
                continue
            self._written.update(changes)
            try:
                async with asyncio.timeout(SEND_TIMEOUT):
                    await self._room.local_participant.set_attributes(changes)
            except TimeoutError:
                logger.warning("participant attributes not updated in time, retrying")
                self.repeat()

    async def _settled(self) -> None:
        """Returns when the state has lasted for a while, or none does."""
        now = asyncio.get_running_loop().time
        give_up = now() + MAX_SETTLING
        while True:
            left = min(self._since + SETTLING, give_up) - now()
            if left <= 0:
                return
            await asyncio.sleep(left)
