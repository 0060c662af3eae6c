"""A plain livekit-agents voice agent, the usual starting point; see bench/voice_latency.py."""

import os

from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    TurnHandlingOptions,
    inference,
)
from livekit.plugins import openai

server = AgentServer(host="127.0.0.1", port=0)


@server.rtc_session(agent_name=os.environ.get("AGENT_NAME", "starter"))
async def entrypoint(job: JobContext) -> None:
    speech = os.environ["SPEECH_BASE_URL"]
    session = AgentSession[None](
        llm=openai.LLM(base_url=os.environ["OPENAI_BASE_URL"], api_key="none"),
        stt=openai.STT(detect_language=True, base_url=speech, api_key="none"),
        tts=openai.TTS(response_format="pcm", base_url=speech, api_key="none"),
        # Local models: the defaults would use LiveKit's cloud. The rest is the default.
        turn_handling=TurnHandlingOptions(
            turn_detection=inference.TurnDetector(version="v1-mini"), interruption={"mode": "vad"}
        ),
    )
    await session.start(Agent(instructions="Be brief."), room=job.room)
    await job.connect()
