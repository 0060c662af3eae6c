"""livekit Agents hear and speak in rooms with a voice."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from functools import partial

import pytest
from livekit import rtc
from livekit.agents import Agent, ModelSettings, function_tool, llm, stt
from livekit.agents.beta import Instructions

from agent import App
from devserver.model import DemoModel, Reply
from tests.agent.app.session_room import calling, history, read_by, unasked
from tests.agent.conftest import StartWorker, Worker
from tests.agent.voice.conftest import Meet, Person
from tests.agent.voice.speech import resembles
from tests.agent.voice.speech_server import SpeechServer
from tests.agent.voice.speech_usage import speech_usage
from tests.agent.voice.test_conversation import FINE, STORY


async def in_london(
    agent: Agent, text: AsyncIterable[str], model_settings: ModelSettings
) -> AsyncIterator[rtc.AudioFrame]:
    """What it says of Paris is said of London."""

    async def moved() -> AsyncIterator[str]:
        async for piece in text:
            yield piece.replace("Paris", "London")

    async for frame in Agent.default.tts_node(agent, moved(), model_settings):
        yield frame


class Weather(Agent):
    """Knows the weather; has nodes of its own for what it hears and says."""

    def __init__(self) -> None:
        instructions = Instructions("You know the weather.", audio="Be brief.", text="Be exact.")
        super().__init__(instructions=instructions)
        self.turns: list[str] = []

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        turn_ctx.add_message(role="assistant", content="It was asked aloud.")

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterator[stt.SpeechEvent]:
        async for event in Agent.default.stt_node(self, audio, model_settings):
            if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                event.alternatives[0].text += " please"
            yield event

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncIterator[rtc.AudioFrame]:
        async for frame in in_london(self, text, model_settings):
            yield frame

    @function_tool
    async def to_archive(self) -> Agent:
        """Hand over to the archive."""
        return Archive()


class Archive(Agent):
    """Speaks as it enters; has what plugins set on an instance."""

    def __init__(self) -> None:
        super().__init__(instructions="You know old things.")
        self.tts_node = partial(in_london, self)
        self.on_user_turn_completed = self.note

    async def note(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        turn_ctx.add_message(role="assistant", content="It is noted.")

    async def on_enter(self) -> None:
        await self.session.say("I am the archive.")


async def speaking(start_worker: StartWorker, speech: SpeechServer) -> Worker:
    return await start_worker(
        app=App({"weather": Weather}),
        STT_BASE_URL=speech.base_url,
        TTS_BASE_URL=speech.base_url,
    )


async def until_it_hears(person: Person) -> None:
    """The session has its voice by then: it has published its track, and has then begun to hear."""
    await person.until(
        lambda: (
            person.agent is not None
            and person.agent.track_publications
            and person.state == "listening"
        )
    )


async def test_a_question_is_answered_aloud_and_in_writing_through_its_nodes(
    meet: Meet, model: DemoModel, start_worker: StartWorker, speech: SpeechServer
) -> None:
    model.script(Reply(text=FINE), Reply("You are welcome."))
    worker = await speaking(start_worker, speech)
    alice = await meet("alice", worker=worker)
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    assert resembles(asked.text, "what is the weather in Paris")
    assert asked.text.endswith("please")
    message = asked.attributes["lk.segment_id"]
    answer = await alice.answer_to(message)
    assert (answer.text, answer.finish_reason) == (FINE, "stop")
    assert alice.agent is not None
    assert answer.attributes["lk.transcribed_track_id"] in alice.agent.track_publications
    assert resembles(await alice.ears.understood(), FINE)
    assert speech.spoken == [FINE.replace("Paris", "London")]
    assert ("assistant", "It was asked aloud.") in read_by(model)
    assert "Be brief." in str(read_by(model)[0])
    written = await alice.ask("Thank you.")
    assert written.text == speech.spoken[-1] == "You are welcome."
    assert "Be exact." in str(read_by(model)[0])
    assert [(each["id"], each["text"]) for each in (await history(alice))[:2]] == [
        (message, asked.text),
        (answer.attributes["lk.segment_id"], FINE),
    ]
    used = await speech_usage(worker)
    assert used["alice", "gpt-4o-mini-transcribe"].heard_ms > 500
    assert used["alice", "gpt-4o-mini-tts"].spoken_ms > 500


async def test_an_answer_with_nothing_to_say_aloud_is_silence(
    meet: Meet, model: DemoModel, start_worker: StartWorker, speech: SpeechServer
) -> None:
    model.script(Reply(text="…"), Reply(text=FINE))
    alice = await meet("alice", worker=await speaking(start_worker, speech))
    await until_it_hears(alice)
    silent = await alice.ask("Say nothing.")
    assert (silent.text, silent.finish_reason) == ("…", "stop")
    assert (await alice.ask("What is the weather?")).text == FINE
    assert speech.spoken == [FINE.replace("Paris", "London")]
    assert alice.notices("voice.failed") == []


@pytest.mark.lengthy
async def test_without_synthesis_an_answer_is_whole_in_writing_and_the_next_one_is_spoken(
    meet: Meet, model: DemoModel, start_worker: StartWorker, speech: SpeechServer
) -> None:
    model.script(Reply(text=STORY), Reply(text=FINE))
    alice = await meet("alice", worker=await speaking(start_worker, speech))
    await until_it_hears(alice)
    speech.tts_status = 500
    written = await alice.ask("Tell me a story.")
    assert (written.text, written.finish_reason) == (STORY, "stop")
    await alice.notice("voice.failed", part="tts")
    speech.tts_status = 200
    assert (await alice.ask("What is the weather?")).text == FINE
    assert resembles(await alice.ears.understood(), FINE)


async def test_a_session_goes_on_as_a_microphone_comes_and_goes(
    meet: Meet, model: DemoModel, start_worker: StartWorker, speech: SpeechServer
) -> None:
    worker = await speaking(start_worker, speech)
    alice = await meet("alice", worker=worker, microphone=False)
    model.script(calling("to_archive"))
    assert (await alice.ask("Something old")).text == "I am the archive."
    assert not speech.spoken
    bob = await meet("bob", worker=worker)
    model.script(Reply(text=FINE))
    await bob.microphone.say("what is the weather in Paris")
    asked = await bob.heard()
    assert (await bob.answer_to(asked.attributes["lk.segment_id"])).text == FINE
    assert speech.spoken == [FINE.replace("Paris", "London")]
    assert read_by(model)[0] == ("system", "You know old things.")
    assert ("assistant", "It is noted.") in read_by(model)
    await bob.room.disconnect()
    await alice.until(lambda: alice.agent is not None and not alice.agent.track_publications)
    model.script(Reply("In writing again."))
    assert (await alice.ask("And now?")).text == "In writing again."
    assert len(speech.spoken) == 1


class Greeter(Agent):
    """Greets, and has its session end on request."""

    def __init__(self) -> None:
        super().__init__(instructions="You greet.")

    async def on_enter(self) -> None:
        await self.session.say("Welcome.")

    @function_tool
    async def leave(self) -> None:
        """End the session."""
        self.session.shutdown()


async def test_a_session_that_follows_another_one_hears_and_does_not_greet_aloud_again(
    meet: Meet, model: DemoModel, start_worker: StartWorker, speech: SpeechServer
) -> None:
    app = App({"greeter": Greeter})
    worker = await start_worker(app=app, STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url)
    alice = await meet("alice", worker=worker)
    await until_it_hears(alice)
    assert (await alice.heard()).text == "Welcome."
    model.script(calling("leave"))
    await alice.ask("Leave.")
    before = speech.spoken.count("Welcome.")
    model.script(Reply(text=FINE))
    await alice.microphone.say("what is the weather in Paris")
    await alice.until(lambda: FINE in [each.text for each in alice.answers])
    assert speech.spoken.count("Welcome.") == before
    assert [each.text for each in unasked(alice)].count("Welcome.") == 1


async def test_speech_interrupts_it_and_only_the_heard_text_is_kept(
    meet: Meet, model: DemoModel, start_worker: StartWorker, speech: SpeechServer
) -> None:
    model.script(Reply(text=STORY), Reply(text=FINE))
    alice = await meet("alice", worker=await speaking(start_worker, speech))
    await alice.microphone.say("please tell me a story")
    message = (await alice.heard()).attributes["lk.segment_id"]
    await alice.ears.until_audible(4.5)
    await alice.microphone.say("what is the weather in Paris")
    story = await alice.answer_to(message)
    assert story.finish_reason == "interrupted"
    assert story.trailer is not None
    kept = STORY.encode()[: int(story.trailer["heard_length"])].decode().strip()
    assert kept.startswith("Once upon a time")
    assert "golden sail" not in kept
    answer = await alice.answer_to((await alice.heard(1)).attributes["lk.segment_id"])
    assert (answer.text, answer.finish_reason) == (FINE, "stop")
    assert any(str(text).strip() == kept for role, text in read_by(model) if role == "assistant")
