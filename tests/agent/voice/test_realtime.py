"""livekit Agents with a realtime model hear and speak by its service, in rooms with a voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial

import pytest

from agent import App
from tests.agent.app.session_room import history
from tests.agent.app.test_realtime import Shop
from tests.agent.conftest import StartWorker
from tests.agent.realtime_service import RealtimeService, Said
from tests.agent.voice.conftest import Meet
from tests.agent.voice.speech import resembles, say
from tests.agent.voice.speech_server import SpeechServer
from tests.agent.voice.test_conversation import FINE, STORY

SAMPLE = 2
"""Bytes."""


async def spoken(text: str) -> Said:
    return Said(text, sound=(await say(text, rate=24_000)).tobytes())


@pytest.fixture
async def service() -> AsyncGenerator[RealtimeService]:
    async with RealtimeService() as service:
        yield service


async def test_it_hears_and_speaks_and_is_interrupted(
    service: RealtimeService, meet: Meet, start_worker: StartWorker, speech: SpeechServer
) -> None:
    service.script(await spoken(FINE), await spoken(STORY), Said("You are welcome."))
    worker = await start_worker(
        app=App({"shop": partial(Shop, service.base_url)}),
        STT_BASE_URL=speech.base_url,
        TTS_BASE_URL=speech.base_url,
    )
    alice = await meet("alice", worker=worker)
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    assert resembles(asked.text, "what is the weather in Paris")
    message = asked.attributes["lk.segment_id"]
    answer = await alice.answer_to(message)
    assert (answer.text, answer.finish_reason) == (FINE, "stop")
    assert resembles(await alice.ears.understood(), FINE)
    assert speech.spoken == []
    assert service.asked[-1].context == [("user", "sound")]
    assert len(service.turns[-1]) > 24_000 * SAMPLE
    assert [(each["id"], each["text"]) for each in await history(alice)] == [
        (message, asked.text),
        (answer.attributes["lk.segment_id"], FINE),
    ]

    question = await alice.say("Tell me a story.")
    alice.ears.forget()
    await alice.ears.until_audible(3)
    await alice.microphone.say("thank you for the story")
    story = await alice.answer_to(question)
    assert story.finish_reason == "interrupted"
    assert story.trailer is not None
    kept = STORY.encode()[: int(story.trailer["heard_length"])].decode().strip()
    assert kept.startswith("Once upon a time")
    thanks = await alice.heard(1)
    last = await alice.answer_to(thanks.attributes["lk.segment_id"])
    assert last.text == "You are welcome."
    assert "conversation.item.truncate" in service.events
    assert service.asked[1].context == [
        ("user", asked.text),
        ("assistant", FINE),
        ("user", "Tell me a story."),
    ]
    [*_, (_, told), final] = service.asked[2].context
    assert told.strip() == kept
    assert final == ("user", "sound")


async def test_sound_without_words_is_not_part_of_the_next_question(
    service: RealtimeService, meet: Meet, start_worker: StartWorker, speech: SpeechServer
) -> None:
    service.script(await spoken(FINE))
    worker = await start_worker(
        app=App({"shop": partial(Shop, service.base_url)}),
        STT_BASE_URL=speech.base_url,
        TTS_BASE_URL=speech.base_url,
    )
    alice = await meet("alice", worker=worker)
    speech.scripted = "", 0.0
    await alice.microphone.say("somebody in the background tells a story that is long")
    async with asyncio.timeout(30):
        await service.cleared.wait()
    assert "input_audio_buffer.append" in service.events
    speech.scripted = None
    question = await say("what is the weather in Paris", rate=24_000)
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    await alice.answer_to(asked.attributes["lk.segment_id"])
    [turn] = service.turns
    # The lead before it, and the silence after it.
    assert len(turn) < question.nbytes + 2.5 * 24_000 * SAMPLE
