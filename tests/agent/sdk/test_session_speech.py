"""What agent.sdk.session_speech relies on in livekit-agents."""

from __future__ import annotations

from livekit.agents import Agent, AgentSession, inference, stt, tts
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
)
from livekit.agents.utils import AudioBuffer

from agent.sdk.session_run import SessionRun
from agent.sdk.session_speech import SpeechModels, give_speech, take_speech


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


async def test_a_running_session_gets_them_and_loses_them_again() -> None:
    session = AgentSession[None](vad=None, turn_handling={"turn_detection": None})
    agent = Agent(instructions="Be.")
    await session.start(agent, record=False, session_host=False)
    given = give_speech(session, models())
    activity = agent._get_activity_or_raise()  # pyright: ignore[reportPrivateUsage]
    assert (activity.stt, activity.tts, activity.vad) == (given.stt, given.tts, given.vad)
    assert session.turn_detection is given.turn_detector
    assert session.options.preemptive_generation.get("enabled") is False
    other = Agent(instructions="Be another.")
    run = SessionRun(session)
    session.update_agent(other)
    await run.over()
    activity = other._get_activity_or_raise()  # pyright: ignore[reportPrivateUsage]
    assert (activity.stt, activity.tts, activity.vad) == (given.stt, given.tts, given.vad)
    take_speech(session, given)
    assert (activity.stt, activity.tts, activity.vad) == (None, None, None)
    assert other.stt is NOT_GIVEN
    await session.aclose()


async def test_what_a_session_and_its_agents_have_is_theirs() -> None:
    own_stt, own_tts = DeafSTT(), MuteTTS()
    vad = inference.VAD(model="silero")
    session = AgentSession[None](stt=own_stt, vad=vad, turn_handling={"turn_detection": "vad"})
    agent = Agent(instructions="Be.", tts=own_tts)
    await session.start(agent, record=False, session_host=False)
    given = give_speech(session, models())
    assert (given.stt, given.vad, given.turn_detector) == (None, None, None)
    activity = agent._get_activity_or_raise()  # pyright: ignore[reportPrivateUsage]
    assert (activity.stt, activity.tts, activity.vad) == (own_stt, own_tts, vad)
    assert session.turn_detection == "vad"
    await session.aclose()
