"""Somebody speaks, and the agent answers aloud and in writing."""

from __future__ import annotations

from devserver.model import DemoModel, Reply
from tests.agent.voice.conftest import Meet
from tests.agent.voice.speech_server import SpeechServer

SUNNY = "The weather in Paris is sunny today."


async def test_a_question_is_answered_aloud_and_in_writing(
    meet: Meet, model: DemoModel, speech: SpeechServer
) -> None:
    model.when("paris", Reply(text=SUNNY))
    alice = await meet("alice")
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    assert {"weather", "paris"} <= set(asked.text.split())
    assert asked.sender == "alice"
    assert asked.attributes["lk.transcribed_track_id"] == alice.microphone.sid
    assert asked.attributes["lk.transcription_final"] == "true"
    answer = await alice.answer_to(asked.attributes["lk.segment_id"])
    assert answer.text == SUNNY
    assert answer.finish_reason == "stop"
    assert alice.agent is not None
    assert answer.attributes["lk.transcribed_track_id"] in alice.agent.track_publications
    heard = await alice.ears.understood()
    assert "weather" in heard
    assert "sunny" in heard
    assert speech.spoken == [SUNNY]
