"""RoomSession: one room that the worker is in."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from livekit import rtc
from livekit.agents import llm

from agent.accounts.accounts import Accounts
from agent.app.app import App
from agent.chat.tenure import Tenure
from agent.config.settings import Settings
from agent.history.conversation_name import is_session
from agent.inbox.message import IncomingMessage, Key
from agent.inbox.people import Directory
from agent.limits.process_limits import ProcessLimits
from agent.models.service import ModelService
from agent.room.leaving import Leaving, LeavingTime
from agent.room.rehearsal import rehearse
from agent.room.room_assignment import RoomAssignment
from agent.room.room_components import RoomComponents
from agent.room.room_overview import RoomOverview
from agent.room.stores import Stores
from agent.sdk import native_events, native_sockets
from agent.telemetry.metrics import JOIN_SECONDS
from agent.wire.refusal import Refusal
from toolkit.toolbox import Toolbox

logger = logging.getLogger(__name__)


RECALL_PATIENCE: Final = 0.5
"""Seconds to wait for the history before the agent reports `listening`, so that a question which
comes at once is answered as fast as any other."""

RECONNECTING_FOR: Final = 15.0
"""Seconds without a connection after which the agent leaves, so that another one comes. The server
has dropped it by then, or does so soon."""

REASON_TAKES: Final = 1.0
"""Seconds from the end of a job to the message that says why, which comes another way."""

_DISMISSED: Final = frozenset(
    {
        rtc.DisconnectReason.PARTICIPANT_REMOVED,
        rtc.DisconnectReason.ROOM_DELETED,
        rtc.DisconnectReason.ROOM_CLOSED,
    }
)

_LEAVING = Refusal(503, "The agent is leaving; this message was not answered.")


class RoomSession:
    """Joins a room, answers in it, and serves RPC until the room ends or `close` is called.

    It owns the lifetime of the room's components: they open before and after the connection, and
    close one after the other when the agent leaves. RoomComponents builds them.
    """

    def __init__(  # noqa: PLR0913 - what its components need
        self,
        assignment: RoomAssignment,
        *,
        tenure: Tenure,
        settings: Settings,
        app: App,
        toolbox: Toolbox,
        models: ModelService,
        directory: Directory,
        stores: Stores,
        limits: ProcessLimits,
        accounts: Accounts,
        leaving_time: LeavingTime,
    ) -> None:
        self._assignment = assignment
        self._leaving_time = leaving_time
        self._tenure = tenure
        self._settings = settings
        self._components = RoomComponents(
            assignment,
            tenure=tenure,
            settings=settings,
            app=app,
            toolbox=toolbox,
            models=models,
            directory=directory,
            stores=stores,
            limits=limits,
            accounts=accounts,
            close=self.close,
            dismiss=self._dismiss,
        )
        self._room = self._components.room
        self._ended = asyncio.Event()
        self.has_joined = False
        """Whether the room was joined, so that `close` ends the stay soon."""
        self.is_dismissed = False
        """Whether the room wants no agent any more, after this stay."""
        self._disconnected = asyncio.Event()
        self._cut: asyncio.TimerHandle | None = None
        self._tell_reconnected: Callable[[], None] | None = None

    async def run(
        self,
        *,
        on_joined: Callable[[], None],
        on_reconnected: Callable[[], None] | None = None,
    ) -> None:
        """Runs the whole stay in the room. Never cancel it: `close` ends it.

        Cancelling a native connect takes the process down later
        (python-sdks issue 784).

        Args:
            on_joined: called once the room is joined.
            on_reconnected: called each time that its connection is back, perhaps to another room
                of the same name.

        Raises:
            rtc.ConnectError: the room could not be joined.
        """
        if self._ended.is_set():
            return
        self._tell_reconnected = on_reconnected
        self._listen()
        self._components.clock.connecting()
        options = self._assignment.room_options(self._settings)
        began = time.monotonic()
        await self._room.connect(self._assignment.url, self._assignment.token, options)
        JOIN_SECONDS.observe(time.monotonic() - began)
        self.has_joined = True
        on_joined()
        self._components.clock.connected(self._room.local_participant)
        hear = partial(contextvars.copy_context().run, self._components.streams.hear)
        native_events.claim(self._room, hear)
        native_events.when_deaf(self._room, self._on_deaf)
        native_sockets.send_at_once()
        logger.info("joined the room", extra={"room": self._assignment.room})
        try:
            if self._ended.is_set():
                return  # Cancelled while it was joining.
            by_session = is_session(self._components.conversation)
            if await self._assignment.is_lost(self._room, by_session):
                return
            await self._serve()
            await self._ended.wait()
        finally:
            # Also where it leaves of itself: the SDK stops reading with the connection.
            self._ended.set()
            await self._leave()
            logger.info("left the room", extra={"room": self._assignment.room})

    async def rehearse(self) -> None:
        """Runs the slow first-time work without a room."""
        components = self._components
        await rehearse(
            components.toolbox,
            components.history,
            components.conversation,
            self._settings.agent_identity,
        )

    @property
    def name(self) -> str:
        """The room's name."""
        return self._assignment.room

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens that models have read and written."""
        usage = self._components.opener.usage
        return usage.input_tokens, usage.output_tokens

    def said_about(self, message: Key, owner: str | None) -> Sequence[llm.ChatItem]:
        """See RoomHost.said_about."""
        return self._components.conversations.said_about(message, owner)

    def overview(self) -> RoomOverview:
        """An overview of the room. Thread-safe."""
        components = self._components
        return RoomOverview(
            name=self._assignment.room,
            people=len(self._room.remote_participants),
            waiting=components.conversations.waiting,
            state=components.presence.state if self.has_joined else "joining",
        )

    def close(self) -> None:
        """Ends the stay; `run` returns once everything is closed."""
        self._ended.set()

    async def _dismiss(self) -> None:
        self.is_dismissed = True
        await self._tenure.be_last()

    async def told_why(self) -> None:
        """Returns when the server has reported why the agent is no longer in the room, or the time
        is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REASON_TAKES):
                await self._disconnected.wait()

    def _listen(self) -> None:
        components = self._components
        components.inbox.open()
        components.channel.open()
        components.file_inbox.open()
        if not components.voice.is_off:
            components.pre_connect_audio.open()
        components.session_host.open()
        self._room.on("disconnected", self._on_disconnected)
        self._room.on("reconnecting", self._on_reconnecting)
        self._room.on("reconnected", self._on_reconnected)
        self._room.on("participant_connected", self._on_joined)
        self._room.on("participant_active", self._on_active)
        self._room.on("participant_disconnected", self._on_left)

    async def _serve(self) -> None:
        """Starts the components, then reports that the agent is ready."""
        components = self._components
        components.methods.open(on_change=components.presence.set_methods)
        components.notices.start()
        components.conversations.start()
        components.voice.start()
        components.calls.resume(self._tenure.holds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECALL_PATIENCE):
                await components.conversations.recalled()
        components.presence.start(components.methods.names)
        await components.events.start(components.conversations.of_room)

    async def _leave(self) -> None:
        components = self._components
        if self._cut is not None:
            self._cut.cancel()
        leaving = Leaving(self._leaving_time)
        if self._tenure.is_over or self._tenure.is_cut:
            # The SDK would go on joining, and throw out the agent that is there now.
            await leaving.step(self._room.disconnect(), "the connection", rest=5.5)
        await leaving.step(components.events.aclose(), "the app's on_room_stop", rest=5.0)
        await components.stay_end.aclose()
        background = components.calls.background.aclose(is_over=self.is_dismissed)
        await leaving.step(background, "calls in the background", rest=4.75)
        components.methods.close()
        await leaving.step(self._close_entrances(), "what comes in", rest=4.0)
        await leaving.step(self._close_conversations(), "the conversations", rest=2.0)
        await leaving.step(components.accounts.aclose(), "the accounts", rest=1.0)
        await leaving.step(components.states.aclose(), "the shared state", rest=0.75)
        await leaving.step(self._close_exits(), "what goes out", rest=0.25)
        await leaving.step(self._room.disconnect(), "the connection", rest=0.0)
        await leaving.aclose()
        components.methods.unregister()

    async def _close_entrances(self) -> None:
        components = self._components
        await components.session_host.aclose()
        await components.erasure.aclose()
        await components.channel.aclose()
        await components.topics.aclose()
        await components.inbox.aclose()
        await components.file_inbox.aclose()
        await components.people.aclose()

    async def _close_conversations(self) -> None:
        # First those that wait: the end of a session may take too long.
        self._refuse(self._components.conversations.give_up())
        self._refuse(await self._components.conversations.aclose())

    def _refuse(self, unanswered: Sequence[IncomingMessage]) -> None:
        for message in unanswered:
            self._components.notices.refuse(message.sender.identity, _LEAVING, message.id)

    async def _close_exits(self) -> None:
        components = self._components
        await components.room_files.aclose()
        await components.late_joiners.aclose()
        await components.voice.aclose()
        if not components.voice.is_off:
            await components.pre_connect_audio.aclose()
        if self._room.isconnected():
            await components.notices.flush()
        await components.notices.aclose()
        await components.presence.aclose()

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        logger.info(
            "disconnected: %s",
            rtc.DisconnectReason.Name(reason),
            extra={"room": self._assignment.room},
        )
        self.is_dismissed = self.is_dismissed or reason in _DISMISSED
        self._disconnected.set()
        if reason != rtc.DisconnectReason.CLIENT_INITIATED:
            self._tenure.is_cut = True
        self._ended.set()

    def _on_deaf(self) -> None:
        if not self._ended.is_set():
            logger.error(
                "the SDK stopped reading room events; leaving the room",
                extra={"room": self._assignment.room},
            )
            self._ended.set()

    def _on_reconnecting(self) -> None:
        self._tenure.is_reconnecting = True
        if self._settings.takeover and self._cut is None:
            loop = asyncio.get_running_loop()
            self._cut = loop.call_later(RECONNECTING_FOR, self._give_up)

    def _give_up(self) -> None:
        logger.warning(
            "no connection to the room for %.0f s, leaving it to another worker",
            RECONNECTING_FOR,
            extra={"room": self._assignment.room},
        )
        self._tenure.is_cut = True
        self._ended.set()

    def _on_reconnected(self) -> None:
        self._tenure.is_reconnecting = False
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None
        native_sockets.send_at_once()
        self._components.presence.repeat()
        if self._tell_reconnected is not None:
            self._tell_reconnected()

    def _on_joined(self, _: rtc.RemoteParticipant) -> None:
        self._components.conversations.resume_private()

    def _on_active(self, participant: rtc.RemoteParticipant) -> None:
        components = self._components
        components.late_joiners.joined(participant)
        components.events.joined(participant)

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        components = self._components
        components.events.left(participant)
        components.topics.forget(participant.identity)
        components.late_joiners.left(participant.identity)
        components.conversations.release(participant.identity)
        components.states.release(participant.identity)
