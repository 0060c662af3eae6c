"""SpeechSwitch: an AgentSession that hears and speaks while its room has a voice, and only then.

A session gets its STT, TTS and VAD when it is made, which may be before anybody has a microphone,
and starts recognition at once: many services then have a connection, which costs money even if
nobody speaks. `Agent.update_options` changes those of a running agent (voice/agent.py); the
session's own, which the next agents take, have no setter.

All code that relies on that is here; tests/agent/sdk/test_session_speech.py holds livekit-agents to
it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livekit.agents.types import NOT_GIVEN

if TYPE_CHECKING:
    from livekit.agents import Agent, AgentSession, stt, tts, vad
    from livekit.agents.inference import TurnDetector

_KINDS: Final = ("stt", "tts", "vad")


@dataclass(frozen=True, slots=True)
class SpeechModels:
    """The hearing and speech of a session, where it has none of its own."""

    stt: stt.STT[Any]
    tts: tts.TTS[Any]
    vad: vad.VAD
    turn_detector: TurnDetector


class SpeechSwitch:
    """Withholds a session's speech models, and those of its agents, until it is turned on."""

    def __init__(self, session: AgentSession[Any]) -> None:
        """The session has not begun."""
        self._session = session
        self._is_on = False
        self._own = {kind: getattr(session, f"_{kind}") for kind in _KINDS}
        if session._using_default_vad:  # pyright: ignore[reportPrivateUsage]
            self._own["vad"] = None
        self._of_agents: weakref.WeakKeyDictionary[Agent, dict[str, Any]] = (
            weakref.WeakKeyDictionary()
        )
        # It would answer a message that is not stored yet.
        session.options.preemptive_generation["enabled"] = False
        if session._interruption_detection is NOT_GIVEN:  # pyright: ignore[reportPrivateUsage]
            session._interruption_detection = "vad"  # pyright: ignore[reportPrivateUsage]
        self._set(self._session, dict.fromkeys(_KINDS))

    def meet(self, agent: Agent) -> None:
        """Call it with each agent before it enters."""
        if agent not in self._of_agents:
            self._of_agents[agent] = {kind: getattr(agent, f"_{kind}") for kind in _KINDS}
        if not self._is_on:
            self._withhold(agent)

    def turn_on(self, models: SpeechModels) -> None:
        """Hears and speaks from now on: with its own models, or with these."""
        session = self._session
        self._is_on = True
        self._set(session, {k: self._own[k] or getattr(models, k) for k in _KINDS})
        for agent, own in list(self._of_agents.items()):
            self._set(agent, own)
        explicit = session._turn_detection_explicit  # pyright: ignore[reportPrivateUsage]
        if not explicit or session.turn_detection in {None, "realtime_llm"}:
            session.update_options(turn_detection=models.turn_detector)
        self._tell(lambda own, kind: own if own is not NOT_GIVEN else getattr(session, f"_{kind}"))

    def turn_off(self) -> None:
        """Neither hears nor speaks from now on."""
        self._is_on = False
        self._tell(lambda _own, _kind: None)
        self._set(self._session, dict.fromkeys(_KINDS))
        for agent in list(self._of_agents):
            self._withhold(agent)

    def _tell(self, choose: Callable[[Any, str], Any]) -> None:
        """Switches the current agent over; its own parts stay noted."""
        activity = self._session._activity  # pyright: ignore[reportPrivateUsage]
        if activity is None:
            return
        agent = activity.agent
        own = self._of_agents.get(agent, dict.fromkeys(_KINDS, NOT_GIVEN))
        for kind in _KINDS:
            options: dict[str, Any] = {kind: choose(own[kind], kind)}
            agent.update_options(**options)
        self._set(agent, own)

    def _withhold(self, agent: Agent) -> None:
        own = self._of_agents[agent]
        self._set(agent, {k: NOT_GIVEN if own[k] is NOT_GIVEN else None for k in _KINDS})

    @staticmethod
    def _set(owner: AgentSession[Any] | Agent, models: dict[str, Any]) -> None:
        for kind, model in models.items():
            setattr(owner, f"_{kind}", model)
