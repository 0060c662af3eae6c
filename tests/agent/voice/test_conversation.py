"""Somebody speaks, and the agent answers aloud and in writing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from devserver.model import DemoModel, Reply
from tests.agent.conftest import StartWorker
from tests.agent.voice.conftest import Meet
from tests.agent.voice.speech import RATE, nearest, resembles, say
from tests.agent.voice.speech_server import SpeechServer
from tests.agent.voice.speech_usage import length, speech_usage

FINE = "The weather in Paris is beautiful today."
STORY = (
    "Once upon a time there was a small village by the sea. In the village lived an old sailor. "
    "Every evening the sailor walked to the harbour and looked at the water. "
    "One day he saw a strange ship with a golden sail, and he wondered who was on board."
)


async def test_a_question_is_answered_aloud_and_in_writing(
    meet: Meet, model: DemoModel, start_worker: StartWorker, speech: SpeechServer
) -> None:
    model.script(Reply(text=FINE), Reply(text="You are welcome."))
    worker = await start_worker(STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url)
    metadata = '{"voice": "sage", "language": "en-GB"}'
    alice = await meet("alice", worker=worker, metadata=metadata)
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    assert resembles(asked.text, "what is the weather in Paris")
    assert asked.sender == "alice"
    assert asked.attributes["lk.transcribed_track_id"] == alice.microphone.sid
    assert asked.attributes["lk.transcription_final"] == "true"
    message = asked.attributes["lk.segment_id"]
    answer = await alice.answer_to(message)
    assert answer.text == FINE
    assert answer.finish_reason == "stop"
    assert alice.agent is not None
    assert answer.attributes["lk.transcribed_track_id"] in alice.agent.track_publications
    assert resembles(await alice.ears.understood(), FINE)
    assert speech.spoken == [FINE]
    assert speech.voices == ["sage"]
    assert set(speech.languages) == {"en"}
    # Written messages go on in the same conversation, and are answered aloud as well.
    written = await alice.ask("Thank you.")
    assert written.text == speech.spoken[-1] == "You are welcome."
    roles = [(each.role, each.text) for each in model.requests[-1].chat.messages[1:]]
    assert roles == [("user", asked.text), ("assistant", FINE), ("user", "Thank you.")]
    history = json.loads(await alice.call("getHistory"))["messages"]
    assert [(each["id"], each["text"]) for each in history[:2]] == [
        (message, asked.text),
        (answer.attributes["lk.segment_id"], FINE),
    ]
    assert history[0]["senderId"] == "alice"
    # What was recognised counts for the speaker, what was spoken for the asker.
    used = await speech_usage(worker)
    assert set(used) == {("alice", "gpt-4o-mini-transcribe"), ("alice", "gpt-4o-mini-tts")}
    said = await length("what is the weather in Paris")
    assert said <= used["alice", "gpt-4o-mini-transcribe"].heard_ms < said + 5_000
    spoken = used["alice", "gpt-4o-mini-tts"].spoken_ms
    assert spoken == pytest.approx(await length(FINE, "You are welcome."), abs=300)


async def test_speech_interrupts_the_agent_and_only_the_heard_text_is_kept(
    meet: Meet, model: DemoModel
) -> None:
    model.script(Reply(text=STORY), Reply(text=FINE))
    alice = await meet("alice")
    await alice.microphone.say("please tell me a story")
    message = (await alice.heard()).attributes["lk.segment_id"]
    # In its first three seconds it cannot be interrupted: clients learn to cancel the echo.
    await alice.ears.until_audible(4.5)
    await alice.microphone.say("what is the weather in Paris")
    story = await alice.answer_to(message)
    assert story.finish_reason == "interrupted"
    assert story.text == STORY  # It was written at once.
    assert story.trailer is not None
    kept = STORY.encode()[: int(story.trailer["heard_length"])].decode().strip()
    assert kept.startswith("Once upon a time")
    assert "golden sail" not in kept
    answer = await alice.answer_to((await alice.heard(1)).attributes["lk.segment_id"])
    assert answer.finish_reason == "stop"
    context = [each.text for each in model.requests[-1].chat.messages]
    assert context[2].strip() == kept
    history = json.loads(await alice.call("getHistory"))["messages"]
    answers = [each for each in history if each["role"] == "assistant"]
    assert [each["finishReason"] for each in answers] == ["interrupted", "stop"]
    assert answers[0]["text"].strip() == kept


async def test_a_renewed_session_can_be_interrupted_from_its_first_word(
    meet: Meet, model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.voice.spoken_responder.RENEW_AFTER", 1)
    model.script(Reply(text="Yes."), Reply(text=STORY), Reply(text=FINE))
    alice = await meet("alice")
    await alice.microphone.say("what is the weather in Paris")
    first = (await alice.heard()).attributes["lk.segment_id"]
    assert (await alice.answer_to(first)).text == "Yes."
    alice.ears.forget()
    story = await alice.say("Please tell me a story.")
    await alice.ears.until_audible()
    await alice.microphone.say("what is the weather in Paris")
    assert (await alice.answer_to(story)).finish_reason == "interrupted"
    asked = await alice.heard(1)
    assert resembles(asked.text, "what is the weather in Paris")
    assert (await alice.answer_to(asked.attributes["lk.segment_id"])).text == FINE


async def test_two_people_who_speak_at_once_are_heard_one_after_the_other(
    meet: Meet, model: DemoModel
) -> None:
    model.when("", Reply(text="It is warm."))
    alice = await meet("alice")
    bob = await meet("bob", name="Bob B.")
    first = alice.microphone.begin("what is the weather in Paris")
    later = np.concatenate([np.zeros(RATE // 2, np.int16), await say("the weather in London")])
    await bob.microphone.say(later)
    await first
    asked = [await alice.heard(), await alice.heard(1)]
    assert [each.sender for each in asked] == ["alice", "bob"]
    said = "what is the weather in Paris", "the weather in London"
    assert [nearest(each.text, *said) for each in asked] == list(said)
    assert asked[1].attributes["lk.transcribed_track_id"] == bob.microphone.sid
    answer = await alice.answer_to(asked[1].attributes["lk.segment_id"])
    assert answer.text == "It is warm."
    questions = [each.text for each in model.requests[-1].chat.messages if each.role == "user"]
    assert questions[-1] == f"Bob B. (bob): {asked[1].text}"


async def test_neither_noise_nor_silence_is_a_turn(
    meet: Meet, model: DemoModel, speech: SpeechServer
) -> None:
    model.script(Reply(text="Yes."))
    alice = await meet("alice")
    random = np.random.default_rng(2)
    time = np.arange(RATE) / RATE
    noise = np.concatenate(
        [
            random.normal(0, 2_000, RATE),  # a fan
            8_000 * np.sin(2 * np.pi * 440 * time),  # a tone
            np.where(random.random(RATE // 2) > 0.999, 20_000, 0),  # clicks
            np.zeros(RATE // 2),
        ]
    )
    await alice.microphone.say(noise.astype(np.int16))
    assert (await alice.ask("Are you there?")).finish_reason == "stop"
    assert alice.transcripts == []
    assert speech.understood == []
    assert len(model.requests) == 1
