"""Agents and sessions that an app's function returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from livekit.agents import Agent, AgentSession
from livekit.plugins import openai
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

from agent import App, Persona
from agent.app.agent_maker import AgentMaker
from agent.app.app_error import AppError
from toolkit.room import Room

if TYPE_CHECKING:
    from agent.app.agent_maker import MakeAgent

NO_ROOM = cast("Room", None)


def agent() -> Agent:
    return Agent(instructions="You sell books.")


async def test_each_conversation_has_an_agent_and_a_session_of_its_own() -> None:
    session = AgentSession[Any](vad=None)
    only = agent()
    functions: dict[str, MakeAgent] = {
        "Agent": lambda: only,
        "AgentSession": lambda: (session, agent()),
    }
    for kind, make in functions.items():
        maker = AgentMaker("shop", make)
        await maker.make(NO_ROOM)
        said = f"the function of the agent shop returned the same {kind} twice"
        with pytest.raises(AppError, match=said):
            await maker.make(NO_ROOM)
    maker = AgentMaker("shop", agent)
    (_, first), (_, second) = await maker.make(NO_ROOM), await maker.make(NO_ROOM)
    assert first is not second


async def test_a_realtime_model_that_rooms_cannot_answer_with_is_refused_by_name() -> None:
    detection = ServerVad(type="server_vad")
    by_itself = openai.realtime.RealtimeModel(api_key="of no account", turn_detection=detection)
    keeping = openai.realtime.RealtimeModel(api_key="of no account")
    keeping.capabilities.mutable_chat_context = False
    functions: dict[str, MakeAgent] = {
        "finds the end of turns by itself": lambda: (
            AgentSession[Any](llm=by_itself, vad=None),
            agent(),
        ),
        "keeps what was said": lambda: Agent(instructions="You sell books.", llm=keeping),
    }
    for reason, make in functions.items():
        with pytest.raises(AppError, match=f"the agent shop has a realtime model that {reason}"):
            await AgentMaker("shop", make).make(NO_ROOM)
    with pytest.raises(AppError, match="the agent desk has a realtime model that keeps"):
        App({"desk": Persona("You are the desk.", llm=keeping)})
