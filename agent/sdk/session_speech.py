"""A running AgentSession that begins to hear and speak, or stops that.

A session gets its STT, TTS and VAD when it is made, and this one is made before anybody has a
microphone. `Agent.update_options` changes those of a running agent for good (voice/agent.py); the
session's own have no setter, and the next agents take those.

All code that relies on that is here; tests/agent/sdk/test_session_speech.py holds livekit-agents to
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from livekit.agents.types import NOT_GIVEN

if TYPE_CHECKING:
    from livekit.agents import AgentSession, stt, tts, vad
    from livekit.agents.inference import TurnDetector


@dataclass(frozen=True, slots=True)
class SpeechModels:
    """What a session hears and speaks with, as far as it has nothing of its own."""

    stt: stt.STT[Any] | None
    tts: tts.TTS[Any] | None
    vad: vad.VAD | None
    turn_detector: TurnDetector | None


def give_speech(session: AgentSession[Any], models: SpeechModels) -> SpeechModels:
    """Has a session, running or not, hear and speak with these; returns those that it has got."""
    has_vad = session.vad is not None and not session._using_default_vad  # pyright: ignore[reportPrivateUsage]
    given = SpeechModels(
        models.stt if session.stt is None else None,
        models.tts if session.tts is None else None,
        None if has_vad else models.vad,
        None if _has_turn_detection(session) else models.turn_detector,
    )
    # It would answer what is not stored yet.
    session.options.preemptive_generation["enabled"] = False
    if session._interruption_detection is NOT_GIVEN:  # pyright: ignore[reportPrivateUsage]
        session._interruption_detection = "vad"  # pyright: ignore[reportPrivateUsage]
    if given.stt is not None:
        session._stt = given.stt  # pyright: ignore[reportPrivateUsage]
    if given.tts is not None:
        session._tts = given.tts  # pyright: ignore[reportPrivateUsage]
    if given.vad is not None:
        session._vad = given.vad  # pyright: ignore[reportPrivateUsage]
    _tell_agent(session, given, takes=True)
    if given.turn_detector is not None:
        session.update_options(turn_detection=given.turn_detector)
    return given


def take_speech(session: AgentSession[Any], given: SpeechModels) -> None:
    """Takes these from a session again."""
    _tell_agent(session, given, takes=False)
    if given.stt is not None:
        session._stt = None  # pyright: ignore[reportPrivateUsage]
    if given.tts is not None:
        session._tts = None  # pyright: ignore[reportPrivateUsage]
    if given.vad is not None:
        session._vad = None  # pyright: ignore[reportPrivateUsage]


def _has_turn_detection(session: AgentSession[Any]) -> bool:
    explicit = session._turn_detection_explicit  # pyright: ignore[reportPrivateUsage]
    return explicit and session.turn_detection is not None


def _tell_agent(session: AgentSession[Any], models: SpeechModels, *, takes: bool) -> None:
    """Has the agent that answers now use the session's, unless it has its own."""
    activity = session._activity  # pyright: ignore[reportPrivateUsage]
    if activity is None:
        return
    agent = activity.agent
    for name in ("stt", "tts", "vad"):
        model = getattr(models, name)
        if model is not None and getattr(agent, f"_{name}") is NOT_GIVEN:
            options: dict[str, Any] = {name: model if takes else None}
            agent.update_options(**options)
            setattr(agent, f"_{name}", NOT_GIVEN)
