"""The parts of livekit-agents that agent.sdk.session_speech relies on."""

from __future__ import annotations

from typing import Any

from livekit.agents import Agent, AgentSession, inference, stt, tts
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)
from livekit.agents.utils import AudioBuffer

from agent.sdk.session_run import SessionRun
from agent.sdk.session_speech import SpeechModels, SpeechSwitch


class DeafSTT(stt.STT[str]):
    """Hears nothing."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        raise NotImplementedError


class MuteTTS(tts.TTS[str]):
    """Says nothing."""

    def __init__(self) -> None:
        capabilities = tts.TTSCapabilities(streaming=False)
        super().__init__(capabilities=capabilities, sample_rate=24_000, num_channels=1)

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        raise NotImplementedError


def models() -> SpeechModels:
    detector = inference.TurnDetector(version="v1-mini")
    return SpeechModels(DeafSTT(), MuteTTS(), inference.VAD(model="silero"), detector)


def heard_with(agent: Agent) -> tuple[object, object, object]:
    """The hearing and speech of the answering agent."""
    activity: Any = agent._get_activity_or_raise()  # pyright: ignore[reportPrivateUsage]
    return activity.stt, activity.tts, activity.vad


async def begun(session: AgentSession[None], agent: Agent) -> SpeechSwitch:
    switch = SpeechSwitch(session)
    switch.meet(agent)
    await session.start(agent, record=False, session_host=False)
    return switch


async def hand_over(session: AgentSession[None], switch: SpeechSwitch, agent: Agent) -> None:
    switch.meet(agent)
    run = SessionRun(session)
    session.update_agent(agent)
    await run.over()


async def test_a_running_session_gets_them_and_loses_them_again() -> None:
    session = AgentSession[None](turn_handling={"turn_detection": None})
    agent = Agent(instructions="Be.")
    switch = await begun(session, agent)
    assert heard_with(agent) == (None, None, None)
    given = models()
    switch.turn_on(given)
    assert heard_with(agent) == (given.stt, given.tts, given.vad)
    assert session.turn_detection is given.turn_detector
    assert session.options.preemptive_generation.get("enabled") is False
    other = Agent(instructions="Be another.")
    await hand_over(session, switch, other)
    assert heard_with(other) == (given.stt, given.tts, given.vad)
    switch.turn_off()
    assert heard_with(other) == (None, None, None)
    assert other.stt is NOT_GIVEN
    await session.aclose()


async def test_models_of_a_session_and_its_agents_are_withheld_and_given_back() -> None:
    own_stt, own_tts = DeafSTT(), MuteTTS()
    vad = inference.VAD(model="silero")
    session = AgentSession[None](stt=own_stt, vad=vad, turn_handling={"turn_detection": "vad"})
    agent = Agent(instructions="Be.", tts=own_tts)
    switch = await begun(session, agent)
    assert heard_with(agent) == (None, None, None)
    given = models()
    switch.turn_on(given)
    assert heard_with(agent) == (own_stt, own_tts, vad)
    assert session.turn_detection == "vad"
    other = Agent(instructions="Be another.")
    await hand_over(session, switch, other)
    assert heard_with(other) == (own_stt, given.tts, vad)
    switch.turn_off()
    await hand_over(session, switch, agent)
    assert heard_with(agent) == (None, None, None)
    switch.turn_on(given)
    assert heard_with(agent) == (own_stt, own_tts, vad)
    await session.aclose()
