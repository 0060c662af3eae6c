"""OpenRTC: the sessions of all rooms as tasks of one process (its coroutine isolation).

Tuned by hand for text alone, beyond what it has options for: no audio in the rooms, no speech
models, no inspector. `python -m bench.peers.openrtc start`, with OPENRTC_PORT for its health check.
"""

from __future__ import annotations

import os
from typing import Any

import livekit.agents
from livekit.agents import Agent, AgentSession, JobProcess
from livekit.agents.inference_runner import _InferenceRunner  # pyright: ignore[reportPrivateUsage]
from livekit.agents.voice.room_io import RoomOptions
from livekit.plugins import openai
from openrtc import AgentPool
from openrtc.runtime.resources import PrewarmResources


class Assistant(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are a helpful assistant.")


class TextSession(AgentSession[None]):
    """A session without audio in its room, which OpenRTC has no option for."""

    async def start(self, agent: Agent, **options: Any) -> Any:  # noqa: ANN401 - AgentSession's own
        text_only = RoomOptions(audio_input=False, audio_output=False)
        return await super().start(agent, room_options=text_only, **options)  # pyright: ignore[reportUnknownVariableType] - as above


def load_nothing(process: JobProcess) -> None:
    """In place of what loads the speech models."""
    PrewarmResources(vad=None, turn_detection_factory=None).store(process)


def no_load() -> float:
    return 0.05


def main() -> None:
    livekit.agents.AgentSession = TextSession
    pool = AgentPool(
        default_llm=openai.LLM(model="gpt-4.1-mini"),
        agent_name=os.environ["AGENT_NAME"],
        enable_introspection=False,
    )
    pool.add("assistant", Assistant, turn_handling={"turn_detection": None})
    pool.server.setup_fnc = load_nothing
    pool.server.update_options(load_threshold=float("inf"))
    # It reports the lag of its loop as its load: a busy moment would lose a room for good.
    setattr(pool.server, "_coroutine_load_fnc", no_load)  # noqa: B010 - it is private
    _InferenceRunner.registered_runners.clear()
    pool.run()


if __name__ == "__main__":
    main()
