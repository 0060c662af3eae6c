"""RoomSession: one room that the worker is in."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from livekit import rtc

from agent.accounts.accounts import Accounts
from agent.accounts.room_accounts import RoomAccounts
from agent.app.app import App
from agent.chat.conversation import Conversation
from agent.chat.conversation_store import ConversationStore
from agent.chat.conversations import Conversations
from agent.chat.summaries import Summaries
from agent.chat.turn_hooks import TurnHooks
from agent.config.settings import Settings
from agent.data.chat import CHAT
from agent.data.data_channel import DataChannel
from agent.data.room_topics import RoomTopics
from agent.data.topic import TopicRoom
from agent.data.topics import TOPICS
from agent.files.file_inbox import FileInbox, FileLimits
from agent.files.file_quota import FileQuota
from agent.files.room_files import RoomFiles
from agent.history.conversation_name import is_session
from agent.inbox.inbox import Inbox, InboxLimits
from agent.inbox.incoming_streams import RoomStreams
from agent.inbox.message import IncomingMessage, Sender
from agent.inbox.own_answers import OwnAnswers
from agent.inbox.people import Directory, People
from agent.inbox.reply_policy import ReplyTest
from agent.limits.process_limits import ProcessLimits
from agent.models.service import ModelService
from agent.parts.part_actions import PartActions
from agent.replies.late_joiners import LateJoiners
from agent.replies.server_clock import ServerClock
from agent.replies.stream_ids import StreamIds
from agent.room.app_events import AppEvents
from agent.room.conversation_name import conversation_of
from agent.room.conversation_opener import ConversationOpener
from agent.room.message_router import MessageRouter
from agent.room.own_methods import own_methods
from agent.room.rehearsal import rehearse
from agent.room.room_assignment import RoomAssignment
from agent.room.room_erasure import RoomErasure
from agent.room.room_handle import RoomHandle
from agent.room.room_overview import RoomOverview
from agent.room.room_profile import DISPATCH_METADATA, ROOM_METADATA, RoomProfile
from agent.room.stores import Stores
from agent.room.voice_opener import VoiceOpener
from agent.rpc.answer_delivery import AnswerDelivery
from agent.rpc.erasure_methods import erase_data_tool
from agent.rpc.methods import RpcMethods
from agent.rpc.permissions import CLEARING
from agent.rpc.room_control import RoomControl
from agent.sdk import native_events, native_sockets
from agent.session_host.session_answers import SessionAnswers
from agent.session_host.session_host import SessionHost
from agent.state.room_states import RoomStates
from agent.telemetry.metrics import JOIN_SECONDS
from agent.tool_calls.client_rpc import ClientRpc
from agent.tool_calls.room_calls import RoomCalls
from agent.voice.pre_connect_audio import PreConnectAudio
from agent.voice.voice_switch import VoiceSwitch
from agent.wire.client_protocols import ClientProtocols
from agent.wire.edited_questions import EditedQuestions
from agent.wire.notices import Notices
from agent.wire.presence import Presence
from agent.wire.refusal import Refusal
from toolkit.tool import Tool
from toolkit.toolbox import Toolbox

logger = logging.getLogger(__name__)


RECALL_PATIENCE: Final = 0.5
"""Seconds that it waits for the past before it says that it listens, so that a question which comes
at once is answered as soon as any other."""

_LEAVING = Refusal(503, "The agent is leaving; this message was not answered.")


class RoomSession:
    """Joins a room, answers in it, and serves RPC until the room ends or `close` is called.

    It owns the room connection, the inbox, the data channel and its topics, the conversations (one
    for the room, one for each participant who writes privately), the RPC methods, the notices and
    the presence.
    """

    def __init__(  # noqa: PLR0913 - what a room is made of
        self,
        assignment: RoomAssignment,
        *,
        settings: Settings,
        app: App,
        toolbox: Toolbox,
        models: ModelService,
        directory: Directory,
        stores: Stores,
        limits: ProcessLimits,
        accounts: Accounts,
    ) -> None:
        history, files = stores.history, stores.files
        self._assignment = assignment
        self._settings = settings
        self._app = app
        self._models = models
        self._profile = RoomProfile.from_metadata(
            (ROOM_METADATA, assignment.room_metadata),
            (DISPATCH_METADATA, assignment.dispatch_metadata),
        )
        self._limits = limits.room(assignment.room, self._profile.tenant or "")
        self._conversation = conversation_of(settings.conversations, assignment, self._profile)
        self._room = rtc.Room()
        self._history = history
        self._accounts = RoomAccounts(
            accounts,
            history,
            assignment.room,
            kept_as=self._conversation,
            agent=settings.agent_identity,
            tenant=self._profile.tenant or "",
        )
        self._people = People(self._room, directory)
        self._protocols = ClientProtocols(self._room, directory.get, directory.all)
        self._presence = Presence(self._room)
        self._notices = Notices(self._room)
        self._streams = RoomStreams(self._room, self._notices)
        self._stream_ids = StreamIds(self._room, self._protocols, self._streams.is_open)
        quota = FileQuota.of(settings, history, self._conversation)
        self._file_inbox = FileInbox(
            self._streams,
            files=files,
            people=self._people,
            chat_topics=settings.chat_topics,
            limits=FileLimits.of(settings),
            room_limits=self._limits,
            quota=quota,
            notices=self._notices,
            deliver=lambda message: self._router.overhear(message),  # noqa: PLW0108 - made later
        )
        self._pre_connect_audio = PreConnectAudio(self._streams, self._notices)
        self._own_answers = OwnAnswers(history, self._conversation, settings.agent_identity)
        self._is_for_agent = ReplyTest(
            self._profile.reply_policy or settings.reply_policy,
            (settings.agent_display_name, settings.agent_identity, settings.agent_name),
            self._people,
            self._own_answers,
        )
        me = Sender(settings.agent_identity, settings.agent_display_name, is_agent=True)
        self._conversations = Conversations(
            history,
            self._conversation,
            me,
            open_conversation=self._open_conversation,
            refuse=self._refuse,
            is_present=self._people.is_known,
            summaries=Summaries(history, models.summariser(assignment.room, self._limits.used), me),
            private_conversations=self._limits.private_conversations,
            on_stored=self._notices.stored,
        )
        self._router = MessageRouter(
            self._conversations,
            self._notices,
            is_for_agent=self._is_for_agent,
            own_answers=self._own_answers,
            limits=self._limits,
            attached=self._file_inbox.attached,
            on_question=self._accounts.message,
            on_message=self._on_message if app.hooks.on_message else None,
        )
        self._handle = RoomHandle(self._room, assignment.room, me, self._conversations)
        self._inbox = Inbox(
            self._streams,
            people=self._people,
            topics=settings.chat_topics,
            limits=InboxLimits.of(settings),
            notices=self._notices,
            complete=self._router.complete,
            deliver=self._router.deliver,
            repeat=self._router.repeat,
        )
        self._room_files = RoomFiles(
            self._room,
            assignment.room,
            self._conversation,
            files=files,
            history=history,
            agent=settings.agent_identity,
            quota=quota,
            settled=self._conversations.settled,
            reads_alone=self._protocols.reads_headers,
        )
        self._channel = DataChannel(self._room, people=self._people, notices=self._notices)
        self._topics = RoomTopics(
            self._topic_room(), (*TOPICS, *app.topics), aliases={CHAT.name: settings.chat_topics}
        )
        self._toolbox = self._profile.choose_tools(toolbox.with_tools(self._topics.tools()))
        self._states = RoomStates(
            history.states, self._conversation, self._notices, max_bytes=settings.max_state_bytes
        )
        self._erasure = RoomErasure(
            assignment.room,
            self._conversation,
            settings,
            stores.eraser,
            self._notices,
            live=(self._conversations, self._topics, self._states),
        )
        self._calls = RoomCalls(
            self._room,
            self._toolbox,
            notices=self._notices,
            look_up=directory.get,
            rpc=ClientRpc(self._room, self._protocols, self._people.announced),
            files=self._room_files,
            states=self._states,
            is_offered=self._is_offered,
            on_called=self._accounts.tool,
            limits=self._limits,
            settings=settings,
        )
        self._calls.calls.room = self._handle
        self._calls.calls.conversation = self._conversation
        self._events = AppEvents(app.hooks, self._handle, self._room, self._calls.callers)
        self._clock = ServerClock()
        self._late_joiners = LateJoiners(self._clock)
        self._voice = VoiceSwitch(
            self._room,
            settings.voice,
            self._notices,
            open_voice=VoiceOpener(
                room=self._room,
                settings=settings,
                profile=self._profile,
                load_speech=models.load_speech,
                router=self._router,
                people=self._people,
                pre_connect_audio=self._pre_connect_audio,
            ).open,
            set_voice=self._conversations.set_voice,
            set_deaf=self._presence.set_deaf,
        )
        self._part_actions = PartActions()
        self._opener = ConversationOpener(
            room=self._room,
            settings=settings,
            app=app,
            hooks=TurnHooks.of(app.hooks, self._handle),
            profile=self._profile,
            open_llm=partial(models.open_llm, assignment.room),
            files=files,
            calls=self._calls,
            limits=self._limits,
            presence=self._presence,
            notices=self._notices,
            protocols=self._protocols,
            stream_ids=self._stream_ids,
            late_joiners=self._late_joiners,
            own_answers=self._own_answers,
            part_actions=self._part_actions,
            voice=self._voice,
            on_lost=self.close,
            on_answered=self._accounts.answer,
        )
        control = RoomControl(
            self._conversation,
            settings.agent_identity,
            history,
            self._conversations,
            self._notices,
            is_for_agent=self._is_for_agent,
            on_feedback=self._accounts.feedback,
            max_message_bytes=settings.max_message_bytes,
            edited_questions=EditedQuestions.on(settings.chat_topics, self._room, self._protocols),
            states=self._states,
            part_actions=self._part_actions,
        )
        self._methods = RpcMethods(
            self._room,
            self._toolbox,
            [
                *own_methods(control, settings, self._voice, self._people),
                erase_data_tool(self._erasure.erase, self._erasure.is_backend),
                *self._topics.methods(),
                *self._room_files.methods(),
            ],
            answers=AnswerDelivery(
                self._room, self._protocols, self._people.announced, settings.rpc_answers
            ),
            calls=self._calls.calls,
            limits=self._limits,
            max_calls=self._settings.max_rpc_calls,
        )
        self._session_host = SessionHost(
            self._room,
            self._streams,
            self._notices,
            find=self._calls.find_caller,
            answer=SessionAnswers(
                room=self._room,
                settings=settings,
                conversation=lambda: self._conversations.of_room,
                presence=self._presence,
                voice=self._voice,
                toolbox=self._toolbox,
                usage=self._opener.usage,
                runs=self._opener.runs,
            ).answer,
            settings=settings,
        )
        self._ended = asyncio.Event()
        self.has_joined = False
        """Whether the room was joined, so that `close` ends the stay soon."""

    async def run(self, *, on_joined: Callable[[], None]) -> None:
        """Lives through the whole stay in the room. Not to be cancelled: `close` ends it.

        A native connect that is given up half-way takes the process down later
        (python-sdks issue 784).

        Raises:
            rtc.ConnectError: the room could not be joined.
        """
        if self._ended.is_set():
            return
        self._listen()
        self._clock.connecting()
        options = self._assignment.room_options(self._settings)
        began = time.monotonic()
        await self._room.connect(self._assignment.url, self._assignment.token, options)
        JOIN_SECONDS.observe(time.monotonic() - began)
        self.has_joined = True
        on_joined()
        self._clock.connected(self._room.local_participant)
        hear = partial(contextvars.copy_context().run, self._streams.hear)
        native_events.claim(self._room, hear)
        native_events.when_deaf(self._room, self._on_deaf)
        native_sockets.send_at_once()
        logger.info("joined the room", extra={"room": self._assignment.room})
        try:
            if self._ended.is_set():
                return  # Called off while it was joining.
            if await self._assignment.is_lost(self._room, is_session(self._conversation)):
                return
            await self._serve()
            await self._ended.wait()
        finally:
            await self._leave()
            logger.info("left the room", extra={"room": self._assignment.room})

    async def rehearse(self) -> None:
        """Does what takes long where it is done for the first time, without a room."""
        await rehearse(
            self._toolbox, self._history, self._conversation, self._settings.agent_identity
        )

    def overview(self) -> RoomOverview:
        """What happens here now. For any thread."""
        return RoomOverview(
            name=self._assignment.room,
            people=len(self._room.remote_participants),
            waiting=self._conversations.waiting,
            state=self._presence.state if self.has_joined else "joining",
        )

    def close(self) -> None:
        """Ends the stay; `run` returns when everything is wound up."""
        self._ended.set()

    def _listen(self) -> None:
        self._inbox.open()
        self._channel.open()
        self._file_inbox.open()
        if not self._voice.is_off:
            self._pre_connect_audio.open()
        self._session_host.open()
        self._room.on("disconnected", self._on_disconnected)
        self._room.on("reconnected", self._on_reconnected)
        self._room.on("participant_connected", self._on_joined)
        self._room.on("participant_active", self._on_active)
        self._room.on("participant_disconnected", self._on_left)

    async def _serve(self) -> None:
        """Begins to do all that there is to do here, then says so."""
        self._methods.open(on_change=self._presence.set_methods)
        self._notices.start()
        self._conversations.start()
        self._voice.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECALL_PATIENCE):
                await self._conversations.recalled()
        self._presence.start(self._methods.names)
        await self._events.start(self._conversations.of_room)

    async def _leave(self) -> None:
        await self._events.aclose()
        self._methods.close()
        await self._session_host.aclose()
        await self._erasure.aclose()
        await self._channel.aclose()
        await self._topics.aclose()
        await self._inbox.aclose()
        await self._file_inbox.aclose()
        await self._people.aclose()
        for message in await self._conversations.aclose():
            self._refuse(message, _LEAVING)
        await self._accounts.aclose()
        await self._states.aclose()
        await self._room_files.aclose()
        await self._late_joiners.aclose()
        await self._voice.aclose()
        if not self._voice.is_off:
            await self._pre_connect_audio.aclose()
        if self._room.isconnected():
            await self._notices.flush()
        await self._notices.aclose()
        await self._presence.aclose()
        await self._room.disconnect()
        self._methods.unregister()

    def _topic_room(self) -> TopicRoom:
        return TopicRoom(
            conversation=self._conversation,
            channel=self._channel,
            notices=self._notices,
            history=self._history,
            take_message=self._inbox.take,
            settled=self._conversations.settled,
            tell_model=self._conversations.tell_model,
            find_caller=lambda identity: self._calls.find_caller(identity),  # noqa: PLW0108 - made later
            may_clear=CLEARING[self._settings.whiteboard_clear],
        )

    def _on_message(self, message: IncomingMessage) -> None:
        self._events.heard(message)

    def _is_offered(self, tool: Tool) -> bool:
        return self._topics.is_in_use(tool) or self._profile.names_tool(tool.name)

    def _open_conversation(self, store: ConversationStore) -> Conversation:
        return self._opener.open(store)

    def _refuse(self, message: IncomingMessage, refusal: Refusal) -> None:
        self._notices.refuse(message.sender.identity, refusal, message.id)

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        logger.info(
            "disconnected: %s",
            rtc.DisconnectReason.Name(reason),
            extra={"room": self._assignment.room},
        )
        self._ended.set()

    def _on_deaf(self) -> None:
        if not self._ended.is_set():
            logger.error(
                "the SDK reads no more events of the room; leaving it",
                extra={"room": self._assignment.room},
            )
            self._ended.set()

    def _on_reconnected(self) -> None:
        native_sockets.send_at_once()
        self._presence.repeat()

    def _on_joined(self, _: rtc.RemoteParticipant) -> None:
        self._conversations.resume_private()

    def _on_active(self, participant: rtc.RemoteParticipant) -> None:
        self._late_joiners.joined(participant)
        self._events.joined(participant)

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        self._events.left(participant)
        self._topics.forget(participant.identity)
        self._late_joiners.left(participant.identity)
        self._conversations.release(participant.identity)
        self._states.release(participant.identity)
