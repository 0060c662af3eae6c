"""Without speech recognition or synthesis, the room gets a notice and goes on in writing."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from devserver.model import DemoModel, Reply
from tests.agent.conftest import StartWorker
from tests.agent.voice.conftest import Meet
from tests.agent.voice.speech import resembles
from tests.agent.voice.speech_server import SpeechServer
from tests.room_server import RoomServerUnderTest, embedded_room_server

SUNNY = "The weather in Paris is sunny today. Tomorrow there will be a thunderstorm."


async def test_without_recognition_the_room_is_notified_and_the_next_turn_tries_again(
    meet: Meet, model: DemoModel, speech: SpeechServer
) -> None:
    model.script(Reply(text="Hello."))
    alice = await meet("alice")
    speech.stt_status = 500
    await alice.microphone.say("what is the weather in Paris")
    await alice.notice("voice.failed", part="stt")
    speech.stt_status = 200
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    assert (await alice.answer_to(asked.attributes["lk.segment_id"])).text == "Hello."
    assert len(alice.notices("voice.failed")) == 1


async def test_without_synthesis_the_answer_is_written_and_the_next_one_spoken(
    meet: Meet, start_worker: StartWorker, model: DemoModel, speech: SpeechServer
) -> None:
    synced = await start_worker(
        VOICE_TEXT="synced", STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url
    )
    model.script(Reply(text=SUNNY), Reply(text=SUNNY))
    alice = await meet("alice", worker=synced)
    await alice.until(lambda: alice.agent is not None and alice.agent.track_publications)
    speech.tts_status = 500
    written = await alice.ask("What is the weather?")
    assert written.text == SUNNY
    assert written.finish_reason == "stop"
    await alice.notice("voice.failed", part="tts")
    assert alice.ears.loud_seconds == 0
    speech.tts_status = 200
    message = await alice.say("What is the weather?")
    begun = await alice.begun_answer_to(message)
    assert begun.text != SUNNY  # It goes out word by word, as it is spoken.
    assert (await alice.answer_to(message)).text == SUNNY
    assert resembles(await alice.ears.understood(), SUNNY)


@pytest.mark.parametrize("text", ["immediate", "synced"])
async def test_an_answer_with_nothing_to_say_aloud_is_silence(
    meet: Meet, start_worker: StartWorker, model: DemoModel, speech: SpeechServer, text: str
) -> None:
    worker = await start_worker(
        VOICE_TEXT=text, STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url
    )
    model.script(Reply(text="…"), Reply(text=SUNNY))
    alice = await meet("alice", worker=worker)
    await alice.until(lambda: alice.agent is not None and alice.agent.track_publications)
    silent = await alice.ask("Say nothing.")
    assert (silent.text, silent.finish_reason) == ("…", "stop")
    assert (await alice.ask("What is the weather?")).text == SUNNY
    assert resembles(await alice.ears.understood(), SUNNY)
    assert alice.notices("voice.failed") == []
    assert "…" not in speech.spoken


async def test_a_spoken_answer_has_a_time_limit(
    meet: Meet, start_worker: StartWorker, model: DemoModel, speech: SpeechServer
) -> None:
    hasty = await start_worker(
        ANSWER_TIMEOUT="3", STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url
    )
    model.script(Reply(text=" ".join([SUNNY] * 5)), Reply(text="Hello."))
    alice = await meet("alice", worker=hasty)
    await alice.until(lambda: alice.agent is not None and alice.agent.track_publications)
    answer = await alice.ask("What is the weather?")
    assert answer.finish_reason == "error"
    assert answer.text.startswith(SUNNY)
    assert answer.text.endswith("(The answer took too long and ends here.)")
    assert (await alice.ask("hello")).text == "Hello."


@pytest.mark.lengthy
async def test_services_that_say_nothing_have_failed(
    meet: Meet,
    start_worker: StartWorker,
    model: DemoModel,
    speech: SpeechServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.models.speech.SILENCE", 0.5)
    monkeypatch.setattr("agent.voice.tolerant_stt.PATIENCE", 1.0)
    synced = await start_worker(
        VOICE_TEXT="synced", STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url
    )
    model.when("", Reply(text=SUNNY))
    alice = await meet("alice", worker=synced)
    await alice.until(lambda: alice.agent is not None and alice.agent.track_publications)
    speech.hangs = True
    assert (await alice.ask("What is the weather?")).text == SUNNY
    await alice.notice("voice.failed", part="tts")
    await alice.microphone.say("what is the weather in Paris")
    await alice.notice("voice.failed", part="stt")
    speech.hangs = False
    # A busy machine may take longer to recognise what was said than it was waited for above.
    monkeypatch.setattr("agent.models.speech.SILENCE", 10.0)
    monkeypatch.setattr("agent.voice.tolerant_stt.PATIENCE", 15.0)
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    assert (await alice.answer_to(asked.attributes["lk.segment_id"])).text == SUNNY
    assert resembles(await alice.ears.understood(), SUNNY)


class TestTheRoomServerCrashes:
    """A server of their own."""

    @pytest.fixture
    async def room_server(self) -> AsyncGenerator[RoomServerUnderTest]:
        async with embedded_room_server() as server:
            yield server

    async def test_everybody_is_heard_again(
        self, meet: Meet, model: DemoModel, room_server: RoomServerUnderTest
    ) -> None:
        model.when("", Reply(text=SUNNY))
        alice = await meet("alice")
        await alice.until(lambda: alice.agent is not None and alice.agent.track_publications)
        await alice.outlive(room_server)
        await alice.until(lambda: alice.agent is not None and alice.agent.track_publications)
        await alice.microphone.subscribed()
        await alice.microphone.say("what is the weather in Paris")
        asked = await alice.heard()
        assert resembles(asked.text, "what is the weather in Paris")
        answer = await alice.answer_to(asked.attributes["lk.segment_id"])
        assert alice.agent is not None
        assert list(alice.agent.track_publications) == [
            answer.attributes["lk.transcribed_track_id"]
        ]
        assert resembles(await alice.ears.understood(), SUNNY)
