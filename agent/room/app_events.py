"""AppEvents: reports a room's events to the app, and starts the agent's greeting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.app.hooks import HookError
from agent.room.room_handle import is_person
from agent.tasks import Tasks
from agent.tool_calls.callers import described

if TYPE_CHECKING:
    from livekit import rtc

    from agent.app.hooks import Hooks
    from agent.chat.conversation import Conversation
    from agent.inbox.message import IncomingMessage
    from agent.room.room_handle import RoomHandle
    from agent.tool_calls.callers import Callers
    from toolkit.caller import Caller


class AppEvents:
    """The hooks of one room that nobody waits for, in the order of their events.

    A hook that fails is logged, and the room goes on.
    """

    def __init__(self, hooks: Hooks, handle: RoomHandle, room: rtc.Room, callers: Callers) -> None:
        self._hooks = hooks
        self._handle = handle
        self._room = room
        self._callers = callers
        self._conversation: Conversation | None = None
        self._greeting: str | None = None
        self._is_open = False
        self._present: set[str] = set()
        self._tasks = Tasks()

    async def start(self, conversation: Conversation) -> None:
        """The agent is ready: reports everybody who is in the room as joined. The first one gets
        the agent's greeting, if the room's conversation is empty."""
        self._conversation = conversation
        greeting = conversation.persona.persona.greeting
        if greeting is not None:
            await conversation.recalled()
            self._greeting = greeting if conversation.is_new else None
        if self._hooks.on_room_start is not None:
            await self._run("on_room_start", self._handle)
        self._is_open = True
        for participant in list(self._room.remote_participants.values()):
            self.joined(participant)

    def joined(self, participant: rtc.RemoteParticipant) -> None:
        """Call it when a participant is ready for data."""
        identity = participant.identity
        if not self._is_open or not is_person(participant) or identity in self._present:
            return
        self._present.add(identity)
        if self._conversation is not None:
            self._conversation.enter()
        if self._greeting is not None:
            greeting, self._greeting = self._greeting, None
            self._handle.say(greeting)
        if self._hooks.on_join is not None:
            self._begin("on_join", described(participant))

    def left(self, participant: rtc.RemoteParticipant) -> None:
        """Call it when a participant has left."""
        if participant.identity not in self._present:
            return
        self._present.discard(participant.identity)
        if self._hooks.on_leave is not None:
            self._begin("on_leave", described(participant))

    def heard(self, message: IncomingMessage) -> None:
        """Call it with each message, whether or not it is for the agent."""
        if self._hooks.on_message is not None:
            self._tasks.start(self._tell_of(message), name="on_message")

    async def aclose(self) -> None:
        """The agent leaves."""
        if self._hooks.on_room_stop is not None:
            await self._run("on_room_stop", self._handle)
        await self._tasks.aclose()

    def _begin(self, name: str, person: Caller) -> None:
        self._tasks.start(self._run(name, self._handle, person), name=name)

    async def _tell_of(self, message: IncomingMessage) -> None:
        caller = await self._callers.find(message.sender.identity, message.sender.name)
        await self._run("on_message", self._handle, caller, message.text)

    async def _run(self, name: str, *arguments: object) -> None:
        try:
            await self._hooks.run(name, *arguments)
        except HookError:
            return  # It is logged already; the room continues.
