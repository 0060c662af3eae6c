"""RoomComponents: builds the components of one room and connects them to each other."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from livekit import rtc

from agent.accounts.accounts import Accounts
from agent.accounts.room_accounts import RoomAccounts
from agent.app.app import App
from agent.chat.conversation import Conversation
from agent.chat.conversation_store import ConversationStore
from agent.chat.conversations import Conversations
from agent.chat.summaries import Summaries
from agent.chat.tenure import Tenure
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
from agent.room.room_assignment import RoomAssignment
from agent.room.room_erasure import RoomErasure
from agent.room.room_handle import RoomHandle
from agent.room.room_instructions import RoomInstructions
from agent.room.room_profile import DISPATCH_METADATA, ROOM_METADATA, RoomProfile
from agent.room.stay_end import StayEnd
from agent.room.stores import Stores
from agent.room.voice_opener import VoiceOpener
from agent.rpc.answer_delivery import AnswerDelivery
from agent.rpc.backend import Backend
from agent.rpc.backend_methods import backend_methods
from agent.rpc.erasure_methods import erase_data_tool
from agent.rpc.methods import RpcMethods
from agent.rpc.permissions import CLEARING
from agent.rpc.room_control import RoomControl
from agent.session_host.session_answers import SessionAnswers
from agent.session_host.session_host import SessionHost
from agent.state.room_states import RoomStates
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


class RoomComponents:
    """The components of one room. Nothing is open yet: RoomSession opens and closes them.

    They are the room connection, the inbox, the data channel and its topics, the conversations (one
    for the room, one for each participant who writes privately), the RPC methods, the notices, the
    presence, and what these share.

    Args:
        close: ends the stay; called when a conversation cannot go on.
        dismiss: called when the backend wants no agent there after the stay.
    """

    def __init__(  # noqa: PLR0913 - what a room is made of
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
        close: Callable[[], None],
        dismiss: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        history, files = stores.history, stores.files
        self._settings = settings
        self.profile = RoomProfile.from_metadata(
            (ROOM_METADATA, assignment.room_metadata),
            (DISPATCH_METADATA, assignment.dispatch_metadata),
        )
        self._limits = limits.room(assignment.room, self.profile.tenant or "")
        self.conversation = conversation_of(settings.conversations, assignment, self.profile)
        self.room = rtc.Room()
        self.history = history
        self.accounts = RoomAccounts(
            accounts,
            history,
            assignment.room,
            kept_as=self.conversation,
            agent=settings.agent_identity,
            tenant=self.profile.tenant or "",
        )
        self.people = People(self.room, directory)
        self._protocols = ClientProtocols(self.room, directory.get, directory.all)
        self.presence = Presence(self.room)
        self.notices = Notices(self.room)
        self.streams = RoomStreams(self.room, self.notices)
        self._stream_ids = StreamIds(self.room, self._protocols, self.streams.is_open)
        quota = FileQuota.of(settings, history, self.conversation)
        self.file_inbox = FileInbox(
            self.streams,
            files=files,
            people=self.people,
            chat_topics=settings.chat_topics,
            limits=FileLimits.of(settings),
            room_limits=self._limits,
            quota=quota,
            notices=self.notices,
            deliver=lambda message: self._router.overhear(message),  # noqa: PLW0108 - made later
        )
        self.pre_connect_audio = PreConnectAudio(self.streams, self.notices)
        self._own_answers = OwnAnswers(history, self.conversation, settings.agent_identity)
        self._is_for_agent = ReplyTest(
            self.profile.reply_policy or settings.reply_policy,
            (settings.agent_display_name, settings.agent_identity, settings.agent_name),
            self.people,
            self._own_answers,
        )
        me = Sender(settings.agent_identity, settings.agent_display_name, is_agent=True)
        self.conversations = Conversations(
            history,
            self.conversation,
            me,
            open_conversation=self._open_conversation,
            refuse=self._refuse,
            is_present=self.people.is_known,
            has_other_agent=self.people.has_other_agent,
            summaries=Summaries(history, models.summariser(assignment.room, self._summarised), me),
            private_conversations=self._limits.private_conversations,
            tenure=tenure,
            on_stored=self.notices.stored,
        )
        self._router = MessageRouter(
            self.conversations,
            self.notices,
            is_for_agent=self._is_for_agent,
            own_answers=self._own_answers,
            limits=self._limits,
            attached=self.file_inbox.attached,
            on_question=self.accounts.message,
            on_message=self._on_message if app.hooks.on_message else None,
        )
        self._handle = RoomHandle(self.room, assignment.room, me, self.conversations)
        self.inbox = Inbox(
            self.streams,
            people=self.people,
            topics=settings.chat_topics,
            limits=InboxLimits.of(settings),
            notices=self.notices,
            complete=self._router.complete,
            deliver=self._router.deliver,
            repeat=self._router.repeat,
        )
        self.room_files = RoomFiles(
            self.room,
            assignment.room,
            self.conversation,
            files=files,
            history=history,
            agent=settings.agent_identity,
            quota=quota,
            settled=self.conversations.settled,
            reads_alone=self._protocols.reads_headers,
        )
        self.channel = DataChannel(self.room, people=self.people, notices=self.notices)
        self.topics = RoomTopics(
            self._topic_room(), (*TOPICS, *app.topics), aliases={CHAT.name: settings.chat_topics}
        )
        self.toolbox = self.profile.choose_tools(toolbox.with_tools(self.topics.tools()))
        self.states = RoomStates(
            history.states, self.conversation, self.notices, max_bytes=settings.max_state_bytes
        )
        self.erasure = RoomErasure(
            assignment.room,
            self.conversation,
            stores.eraser,
            self.notices,
            live=(self.conversations, self.topics, self.states, self.accounts),
        )
        self.calls = RoomCalls(
            self.room,
            self.toolbox,
            notices=self.notices,
            look_up=directory.get,
            rpc=ClientRpc(self.room, self._protocols, self.people.announced),
            files=self.room_files,
            states=self.states,
            is_offered=self._is_offered,
            on_called=self.accounts.tool,
            limits=self._limits,
            settings=settings,
            history=history,
            sampler=models.sampler(assignment.room),
            on_asked=self.accounts.asked,
        )
        self.calls.calls.room = self._handle
        self.calls.calls.conversation = self.conversation
        self.calls.background.lasting.conversation = self.conversation
        self.calls.background.lasting.sid = assignment.sid
        tenure.on_moved = self.calls.background.lasting.move
        self.calls.background.report = self._handle.report
        self.events = AppEvents(app.hooks, self._handle, self.room, self.calls.callers)
        self.clock = ServerClock()
        self.late_joiners = LateJoiners(self.clock)
        self.voice = VoiceSwitch(
            self.room,
            settings.voice,
            self.notices,
            open_voice=VoiceOpener(
                room=self.room,
                settings=settings,
                profile=self.profile,
                load_speech=models.load_speech,
                router=self._router,
                people=self.people,
                pre_connect_audio=self.pre_connect_audio,
                on_heard=self.accounts.heard,
                on_spoken=self.accounts.spoken,
            ).open,
            set_voice=self.conversations.set_voice,
            set_deaf=self.presence.set_deaf,
        )
        self._part_actions = PartActions()
        instructions = RoomInstructions(app, self.profile, settings, self.conversations)
        self.opener = ConversationOpener(
            room=self.room,
            settings=settings,
            app=app,
            hooks=TurnHooks.of(app.hooks, self._handle),
            profile=self.profile,
            instructions=instructions,
            handle=self._handle,
            open_llm=partial(models.open_llm, assignment.room),
            plugin_http=models.plugin_http,
            files=files,
            calls=self.calls,
            limits=self._limits,
            presence=self.presence,
            notices=self.notices,
            protocols=self._protocols,
            stream_ids=self._stream_ids,
            late_joiners=self.late_joiners,
            own_answers=self._own_answers,
            part_actions=self._part_actions,
            voice=self.voice,
            on_lost=close,
            on_answered=self.accounts.answer,
            on_session=self.accounts.session,
            employment=assignment.employment,
            end_stay=lambda: self.stay_end.start(),  # noqa: PLW0108 - made later
        )
        control = RoomControl(
            self.conversation,
            settings.agent_identity,
            history,
            self.conversations,
            self.notices,
            is_for_agent=self._is_for_agent,
            on_feedback=self.accounts.feedback,
            max_message_bytes=settings.max_message_bytes,
            edited_questions=EditedQuestions.on(settings.chat_topics, self.room, self._protocols),
            states=self.states,
            part_actions=self._part_actions,
        )
        backend = Backend(settings, assignment.room)
        self.stay_end = StayEnd(lambda: self.conversations.waiting, dismiss, close)
        self.methods = RpcMethods(
            self.room,
            self.toolbox,
            [
                *own_methods(control, settings, self.voice, self.people, backend),
                erase_data_tool(self.erasure.erase, backend.signed),
                *self.topics.methods(),
                *self.room_files.methods(),
            ],
            yielding=backend_methods(self._handle, backend, instructions.set, self.stay_end.begin),
            answers=AnswerDelivery(
                self.room, self._protocols, self.people.announced, settings.rpc_answers
            ),
            calls=self.calls.calls,
            limits=self._limits,
            max_calls=settings.max_rpc_calls,
        )
        self.session_host = SessionHost(
            self.room,
            self.streams,
            self.notices,
            find=self.calls.find_caller,
            answer=SessionAnswers(
                room=self.room,
                settings=settings,
                conversation=lambda: self.conversations.of_room,
                presence=self.presence,
                voice=self.voice,
                toolbox=self.toolbox,
                usage=self.opener.usage,
                runs=self.opener.runs,
            ).answer,
            settings=settings,
        )

    def _topic_room(self) -> TopicRoom:
        return TopicRoom(
            conversation=self.conversation,
            channel=self.channel,
            notices=self.notices,
            history=self.history,
            take_message=self.inbox.take,
            settled=self.conversations.settled,
            tell_model=self.conversations.tell_model,
            find_caller=lambda identity: self.calls.find_caller(identity),  # noqa: PLW0108 - made later
            may_clear=CLEARING[self._settings.whiteboard_clear],
        )

    def _summarised(self, model: str, tokens_in: int, tokens_out: int) -> None:
        """The model was asked for a summary, which nobody in particular pays for."""
        self._limits.used(tokens_in, tokens_out)
        self.accounts.asked("", model, tokens_in, tokens_out)

    def _on_message(self, message: IncomingMessage) -> None:
        self.events.heard(message)

    def _is_offered(self, tool: Tool) -> bool:
        return self.topics.is_in_use(tool) or self.profile.names_tool(tool.name)

    def _open_conversation(self, store: ConversationStore) -> Conversation:
        return self.opener.open(store)

    def _refuse(self, message: IncomingMessage, refusal: Refusal) -> None:
        self.notices.refuse(message.sender.identity, refusal, message.id)
