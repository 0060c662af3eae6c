"""The parts of livekit-agents that agent.sdk.room_realtime relies on."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Any, cast

import pytest
from livekit.agents import Agent, AgentSession, ConversationItemAddedEvent, inference, llm
from livekit.agents.utils import http_context
from livekit.plugins import openai

from agent.sdk.room_realtime import (
    RoomRealtimeModel,
    add_message,
    realtime_session,
    take_turns,
    take_turns_of_next,
)
from agent.sdk.session_run import SessionRun, begin
from tests.agent.realtime_service import RealtimeService, Said


def speaking(service: RealtimeService) -> Agent:
    model = openai.realtime.RealtimeModel(base_url=service.base_url, api_key="a key", voice="ash")
    return Agent(instructions="You sell books.", llm=model)


@pytest.mark.parametrize("first", [True, False], ids=["first", "handed over to"])
async def test_a_service_leaves_turns_to_the_session(first: bool) -> None:
    async with RealtimeService() as service, http_context.open():
        vad = inference.VAD(model="silero")
        session = AgentSession[None](
            vad=vad, turn_handling={"turn_detection": inference.TurnDetector(version="v1-mini")}
        )
        agent = speaking(service)
        begins = agent if first else Agent(instructions="You are a clerk.")
        take_turns(session, begins, copy_context)
        if not first:
            assert realtime_session(begins) is None

        def on_item(event: ConversationItemAddedEvent) -> None:
            if event.item.type == "agent_handoff":
                take_turns_of_next(session, session.current_agent, copy_context)

        session.on("conversation_item_added", on_item)
        await session.start(begins, record=False, session_host=False)
        run = SessionRun(session)
        if not first:
            assert realtime_session(begins) is None
            session.update_agent(agent)
            await run.over()
        model = cast("Any", agent.llm)
        assert isinstance(model, RoomRealtimeModel)
        model.update_options(voice="sage")
        told = llm.ChatMessage(role="user", content=["Hello"])
        add_message(session, told)
        await agent.update_chat_ctx(llm.ChatContext([told]))
        service.script(Said("Good day."))
        speech = session.generate_reply()
        await speech
        [answer] = speech.chat_items
        assert isinstance(answer, llm.ChatMessage)
        assert answer.text_content == "Good day."
        assert session.history.items[-2:] == [told, answer]
        assert service.asked[-1].context == [("user", "Hello")]
        assert service.settings["audio"]["output"]["voice"] == "sage"
        activity: Any = agent._get_activity_or_raise()  # pyright: ignore[reportPrivateUsage]
        assert activity._turn_detection is session.turn_detection
        assert activity._interruption_by_audio_activity_enabled
        assert not activity._rt_turn_detection_enabled
        await session.aclose()


async def test_a_session_that_is_given_up_before_it_has_begun_leaves_no_connection() -> None:
    async with RealtimeService() as service, http_context.open():
        service.is_silent = True
        session, agent = AgentSession[None](vad=None), speaking(service)
        take_turns(session, agent, copy_context)
        await agent.update_chat_ctx(llm.ChatContext([llm.ChatMessage(role="user", content=["Hi"])]))
        beginning = asyncio.create_task(begin(session, agent))
        async with asyncio.timeout(10):
            await service.connections.get()
            beginning.cancel()
            await asyncio.wait([beginning])
            await service.left.wait()
        assert beginning.cancelled()
