"""The smallest AgentSession worker, from LiveKit's documentation, for text only.

https://docs.livekit.io/agents/build/text/. Only its admission is not: that looks at the machine's
load, and would refuse rooms in the middle of a measurement.
"""

from __future__ import annotations

import os

from livekit.agents import Agent, AgentServer, AgentSession, JobContext
from livekit.agents.voice.room_io import RoomOptions
from livekit.plugins import openai


def no_load(_: AgentServer) -> float:
    return 0.05


server = AgentServer(load_fnc=no_load, port=0)


@server.rtc_session(agent_name=os.environ.get("AGENT_NAME", ""))
async def entrypoint(context: JobContext) -> None:
    session = AgentSession[None](llm=openai.LLM(model="gpt-4.1-mini"))
    await session.start(
        agent=Agent(instructions="You are a helpful assistant."),
        room=context.room,
        room_options=RoomOptions(audio_input=False, audio_output=False),
    )
