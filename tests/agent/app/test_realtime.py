"""livekit Agents with a realtime (speech-to-speech) model, by the real plugin and a stub of its
service, in writing. tests/agent/voice/test_realtime.py has them speak."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextvars import copy_context
from functools import partial

import pytest
from livekit import rtc
from livekit.agents import Agent, AgentSession, APIConnectOptions, function_tool, llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.utils import http_context
from livekit.plugins import openai

from agent import App, Persona
from agent.chat.user_message import user_message
from agent.inbox.message import Form, IncomingMessage, Sender
from agent.models.offered_tools import OfferedTools
from agent.sdk.room_realtime import realtime_session, take_turns
from agent.sessions import session_responder
from agent.sessions.realtime_turns import RealtimeTurns
from agent.sessions.session_context import SessionContext
from tests.agent.app.session_room import history, unasked
from tests.agent.conftest import Enter, StartWorker
from tests.agent.realtime_service import RealtimeService, Said
from toolkit import tool


class Shop(Agent):
    """Answers by a realtime model."""

    def __init__(
        self, base_url: str, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> None:
        model = openai.realtime.RealtimeModel(
            base_url=base_url, api_key="a key", conn_options=conn_options
        )
        super().__init__(instructions="You sell books.", llm=model)

    @function_tool
    async def find_book(self, title: str) -> str:
        """Find a book."""
        return f"{title}: shelf 3"


@tool
async def opening_hours(day: str) -> str:
    """Tell the opening hours of a day."""
    return f"{day}: 10 to 4"


@pytest.fixture
async def service() -> AsyncGenerator[RealtimeService]:
    async with RealtimeService() as service:
        yield service


async def test_written_messages_are_answered_by_the_words_of_its_speech(
    service: RealtimeService, start_worker: StartWorker, enter: Enter
) -> None:
    app = App({"shop": partial(Shop, service.base_url)}, tools=[opening_hours])
    alice = await enter("alice", worker=await start_worker(app=app))
    service.script(
        Said(call=("openingHours", '{"day": "Saturday"}')),
        Said("Yes, from 10 to 4."),
        Said(call=("find_book", '{"title": "Emma"}')),
        Said("On shelf 3."),
        Said("You are welcome."),
    )
    answer = await alice.ask("Are you open on Saturday?")
    assert (answer.text, answer.finish_reason) == ("Yes, from 10 to 4.", "stop")
    assert service.settings["instructions"] == "You sell books."
    assert service.settings["audio"]["input"]["turn_detection"] is None
    assert sorted(service.tools) == ["find_book", "openingHours"]
    saturday = [
        ("user", "Are you open on Saturday?"),
        ("call", "openingHours"),
        ("result", "Saturday: 10 to 4"),
    ]
    assert service.asked[-1].context == saturday
    question = await alice.say("Where is Emma?")
    assert (await alice.answer_to(question)).text == "On shelf 3."
    told = [*saturday, ("assistant", answer.text), ("user", "Where is Emma?")]
    assert service.asked[2].context == told
    await alice.call("deleteMessage", json.dumps({"messageId": question}))
    assert (await alice.ask("Thank you.")).text == "You are welcome."
    assert service.asked[-1].context == [*told[:-1], ("user", "Thank you.")]


async def test_failures_of_its_service_are_told(
    service: RealtimeService, start_worker: StartWorker, enter: Enter
) -> None:
    app = App({"shop": partial(Shop, service.base_url)})
    alice = await enter("alice", worker=await start_worker(app=app))
    service.script(Said(fault="failed"), Said("I am", fault="cut"), Said("Here again."))
    failed = await alice.ask("Hello")
    assert failed.finish_reason == "error"
    assert "gave no answer" in failed.text
    cut = await alice.ask("Are you there?")
    assert cut.finish_reason == "error"
    assert cut.text.startswith("I am")
    assert "cut off" in cut.text
    again = await alice.ask("And now?")
    assert (again.text, again.finish_reason) == ("Here again.", "stop")
    assert service.asked[-1].context[-1] == ("user", "And now?")


async def test_a_service_that_cannot_be_reached(
    start_worker: StartWorker, enter: Enter, caplog: pytest.LogCaptureFixture
) -> None:
    once = APIConnectOptions(max_retry=0)
    app = App({"shop": partial(Shop, "http://127.0.0.1:9/v1", conn_options=once)})
    alice = await enter("alice", worker=await start_worker(app=app))
    with caplog.at_level(logging.CRITICAL, logger="livekit.agents"):
        failed = await alice.ask("Hello")
    assert failed.finish_reason == "error"
    assert "cannot be reached" in failed.text


class Greeter(Shop):
    """Speaks as it enters."""

    async def on_enter(self) -> None:
        await self.session.say("Welcome.")


async def test_a_session_that_its_service_has_ended_is_replaced_though_nobody_writes(
    service: RealtimeService,
    start_worker: StartWorker,
    enter: Enter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(session_responder, "REOPENED_AFTER", 0.01)
    once = APIConnectOptions(max_retry=0)
    app = App({"shop": partial(Greeter, service.base_url, conn_options=once)})
    alice = await enter("alice", worker=await start_worker(app=app))
    await alice.until(lambda: [each.text for each in unasked(alice)] == ["Welcome."])
    with caplog.at_level(logging.CRITICAL, logger="livekit.agents"):
        async with asyncio.timeout(10):
            await (await service.connections.get()).close()
            await service.connections.get()
    service.script(Said("Here again."))
    assert (await alice.ask("Hello")).text == "Here again."
    assert len(unasked(alice)) == 1


async def test_turns_that_wait_for_one_another_are_answered_by_their_words(
    service: RealtimeService,
) -> None:
    async with http_context.open():
        session, agent = AgentSession[None](vad=None), Shop(service.base_url)
        take_turns(session, agent, copy_context)
        turns, context = RealtimeTurns(OfferedTools()), SessionContext()
        await session.start(agent, record=False, session_host=False)
        hearing = realtime_session(agent)
        assert hearing is not None

        def spoken(name: str) -> llm.ChatMessage:
            hearing.push_audio(rtc.AudioFrame(bytes(9_600), 24_000, 1, 4_800))
            hearing.commit_audio()
            turns.heard(name)
            who = Sender(name)
            said = IncomingMessage(name, who, f"I am {name}.", 0, Form.SPEECH)
            return user_message(said, authored=False)

        async def answer(message: llm.ChatMessage, *before: llm.ChatItem) -> None:
            service.script(Said("Hello."))
            sound = await turns.sound_of(agent, message)
            await context.bring(agent, before, session.history, sound=sound)
            known = agent.chat_ctx.items
            given = [item for item in known if sound is None or item.id != sound.id]
            await (await turns.ask(session, llm.ChatContext(given), message, "audio", sound))

        ann, bob = spoken("ann"), spoken("bob")
        await answer(ann)
        assert service.asked[-1].context == [("user", "I am ann.")]
        await answer(bob, ann)
        told = [("user", "I am ann."), ("assistant", "Hello."), ("user", "I am bob.")]
        assert service.asked[-1].context == told
        await answer(spoken("cleo"), ann, bob)
        assert service.asked[-1].context == [*told, ("assistant", "Hello."), ("user", "sound")]
        await session.aclose()


async def test_a_persona_answers_by_a_realtime_model_in_all_its_conversations(
    service: RealtimeService, start_worker: StartWorker, enter: Enter
) -> None:
    model = openai.realtime.RealtimeModel(base_url=service.base_url, api_key="a key")
    shop = Persona("You sell books.", name="Shop", llm=model, tools=[opening_hours], greeting="Hi.")
    app = App({"shop": shop})
    alice = await enter("alice", worker=await start_worker(app=app), metadata='{"language": "de"}')
    await alice.until(lambda: [each.text for each in unasked(alice)] == ["Hi."])
    service.script(Said(call=("openingHours", '{"day": "Monday"}')), Said("From 10."), Said("You."))
    assert (await alice.ask("When on Monday?")).text == "From 10."
    assert service.settings["instructions"].startswith("You sell books.\n\n")
    assert service.settings["instructions"].endswith(": de.")
    said = [("assistant", "Hi."), ("user", "When on Monday?"), ("call", "openingHours")]
    assert service.asked[-1].context == [*said, ("result", "Monday: 10 to 4")]
    private = await alice.ask("Who is it?", scope="private")
    assert private.text == "You."
    assert service.asked[-1].context == [("user", "Who is it?")]
    assert [each["text"] for each in (await history(alice))[-2:]] == ["When on Monday?", "From 10."]
