"""RoomRealtimeModel: a realtime (speech-to-speech) model whose turns are the room's.

A session asks such a model to find out when somebody has finished, and adds what its service
understood to its own history, with the service's ids. Here, a spoken turn is a message of the room:
its words are the room's STT's, its end is found by the room, and it is answered in its turn.

A model cannot be replaced in a running session, nor has an AgentSession a setter for it. All code
that relies on private parts for that is here; tests/agent/sdk/test_room_realtime.py holds
livekit-agents to it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from livekit.agents import llm
from livekit.agents.utils import is_given

if TYPE_CHECKING:
    from livekit.agents import Agent, AgentSession
    from livekit.agents.llm.chat_context import MetricsMetadata

logger = logging.getLogger(__name__)

_OF_THE_ROOM: Final = frozenset(
    {"input_speech_started", "input_speech_stopped", "input_audio_transcription_completed"}
)
"""Events of a service's session that the room has of its own."""


USER_ITEM_ADDED: Final = "user_item_added"
"""Event of a RoomRealtimeModel's session: the service has another message of a user's. The session
of livekit-agents would add it to its agent's context."""


class RoomRealtimeModel(llm.RealtimeModel):
    """Gives a session of livekit-agents another model's sessions, without their turn detection and
    without their transcripts of what people say. It is asked for all else that the model has."""

    def __init__(self, model: llm.RealtimeModel, context: Callable[[], Context]) -> None:
        """`context`: where a plugin finds its HTTP session. A model keeps that of its first
        session, and may be several conversations'."""
        capabilities = replace(
            model.capabilities,
            turn_detection=False,
            can_disable_turn_detection=False,
            user_transcription=False,
            supports_overlapping_speech=False,
        )
        super().__init__(capabilities=capabilities)
        self._label = model.label
        self._inner = model
        self._context = context

    @property
    def model(self) -> str:
        return self._inner.model

    @property
    def provider(self) -> str:
        return self._inner.provider

    @property
    def metrics_metadata(self) -> MetricsMetadata:
        return self._inner.metrics_metadata

    def session(self, *, turn_detection_disabled: bool = False) -> llm.RealtimeSession[Any]:
        """A session of the service's, whose turns end when they are committed.

        Closing it raises nothing: what it failed with has been told as an event.
        """
        disabled = self._inner.capabilities.turn_detection
        session = self._context().run(self._open, disabled)
        emit = session.emit

        def emit_others(event: Any, *arguments: Any) -> None:  # noqa: ANN401 - as EventEmitter has it
            if event == "remote_item_added" and _is_users(arguments[0].item):
                emit(cast("Any", USER_ITEM_ADDED))
            elif event not in _OF_THE_ROOM:
                emit(event, *arguments)

        aclose = session.aclose

        async def aclose_in_any_case() -> None:
            try:
                await aclose()
            except Exception as error:
                # The boundary around a plugin. A session of livekit-agents would keep its tasks.
                logger.info("the service's session had failed: %s", type(error).__name__)

        session.emit = emit_others
        session.aclose = aclose_in_any_case
        return session

    def _open(self, disabled: bool) -> llm.RealtimeSession[Any]:
        return cast(
            "llm.RealtimeSession[Any]", self._inner.session(turn_detection_disabled=disabled)
        )

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the model has
        return getattr(self._inner, name)


def _is_users(item: object) -> bool:
    return isinstance(item, llm.ChatMessage) and item.role == "user"


def take_turns(session: AgentSession[Any], agent: Agent, context: Callable[[], Context]) -> None:
    """Takes the turns of a session that has not begun, and of its first agent, if they have
    realtime models; for `context` see RoomRealtimeModel."""
    _wrap(session, context)
    _wrap(agent, context)


def take_turns_of_next(
    session: AgentSession[Any], agent: Agent, context: Callable[[], Context]
) -> None:
    """Takes those of an agent that the session is handing over to. It has made itself ready for its
    own model, and not asked that for a session yet."""
    activity = session._activity  # pyright: ignore[reportPrivateUsage]
    if not _wrap(agent, context) or activity is None or activity.agent is not agent:
        return
    own = agent.turn_detection
    mode = own if is_given(own) else session.turn_detection
    activity._rt_turn_detection_enabled = False  # pyright: ignore[reportPrivateUsage]
    activity._rt_overlapping_speech_enabled = False  # pyright: ignore[reportPrivateUsage]
    detector = activity._validate_turn_detection(mode)  # pyright: ignore[reportPrivateUsage]
    activity._turn_detection = detector  # pyright: ignore[reportPrivateUsage]
    by_sound = detector != "manual"
    activity._interruption_by_audio_activity_enabled = by_sound  # pyright: ignore[reportPrivateUsage]
    activity._default_interruption_by_audio_activity_enabled = by_sound  # pyright: ignore[reportPrivateUsage]


def realtime_session(agent: Agent) -> llm.RealtimeSession[Any] | None:
    """The session of the service that an agent answers with; None: it has another kind of model, or
    does not answer."""
    try:
        return cast("llm.RealtimeSession[Any]", agent.realtime_llm_session)
    except RuntimeError:
        return None


def clear_sound(session: AgentSession[Any]) -> None:
    """Clears the uncommitted sound at a session's service, as AgentSession.clear_user_turn does.
    Other models have received none."""
    try:
        agent = session.current_agent
    except RuntimeError:
        return
    if (service := realtime_session(agent)) is not None:
        service.clear_audio()


def add_message(session: AgentSession[Any], message: llm.ChatMessage) -> None:
    """Adds a message of the user's to the session's history, as it does itself for other models."""
    session._conversation_item_added(message)  # pyright: ignore[reportPrivateUsage]


def _wrap(owner: AgentSession[Any] | Agent, context: Callable[[], Context]) -> bool:
    model = cast("object", owner._llm)  # pyright: ignore[reportPrivateUsage]
    if not isinstance(model, llm.RealtimeModel) or isinstance(model, RoomRealtimeModel):
        return False
    owner._llm = RoomRealtimeModel(model, context)  # pyright: ignore[reportPrivateUsage]
    return True
