"""An app's own speech services, by streams: the real plugins, against their wire on loopback."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import numpy as np
import pytest
from livekit.agents import Agent, stt
from livekit.plugins import cartesia, deepgram

from agent import App, Persona
from agent.app.loading import load_app
from devserver.model import DemoModel, Reply
from tests.agent.app.import_state import restored_imports
from tests.agent.conftest import StartWorker, Worker
from tests.agent.voice.conftest import Meet
from tests.agent.voice.speech import RATE, nearest, resembles, say
from tests.agent.voice.speech_usage import speech_usage
from tests.agent.voice.streaming_server import StreamingServer
from tests.agent.voice.test_conversation import FINE, STORY

EXAMPLES = Path(__file__).parents[3] / "examples"
KATIE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"


@pytest.fixture(autouse=True)
def imports() -> Generator[None]:
    with restored_imports(EXAMPLES):
        yield


@pytest.fixture
async def services(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[StreamingServer]:
    async with StreamingServer() as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
async def worker(start_worker: StartWorker, services: StreamingServer) -> Worker:
    """The example, which has the services' addresses from the environment."""
    return await start_worker(app=load_app(str(EXAMPLES / "deepgram_voice" / "deepgram_voice.py")))


async def test_deepgram_hears_and_cartesia_speaks(
    meet: Meet, model: DemoModel, services: StreamingServer, worker: Worker
) -> None:
    model.script(Reply(text=FINE))
    metadata = '{"language": "German"}'
    alice = await meet("alice", worker=worker, metadata=metadata)
    assert services.listens == []  # Nobody has spoken: no connection is paid for.
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    assert resembles(asked.text, "what is the weather in Paris")
    assert asked.sender == "alice"
    answer = await alice.answer_to(asked.attributes["lk.segment_id"])
    assert (answer.text, answer.finish_reason) == (FINE, "stop")
    assert resembles(await alice.ears.understood(), FINE)
    assert services.spoken == [FINE]
    assert services.voices == {KATIE}
    assert services.keys == {"stt Token a key for ears", "tts a key for a mouth"}
    [listening] = services.listens
    assert (listening["language"], listening["model"]) == ("de", "nova-3")
    used = await speech_usage(worker)
    assert sum(each.heard_ms for each in used.values()) > 500
    assert sum(each.spoken_ms for each in used.values()) > 500
    assert ("alice", "nova-3") in used


@pytest.mark.lengthy
async def test_two_people_who_speak_at_once_are_heard_one_after_the_other(
    meet: Meet, model: DemoModel, worker: Worker
) -> None:
    # The recogniser mishears some of it.
    model.when("", Reply(text="It is warm."))
    alice = await meet("alice", worker=worker)
    bob = await meet("bob", worker=worker)
    first = alice.microphone.begin("what is the weather in Paris")
    later = np.concatenate([np.zeros(RATE // 2, np.int16), await say("the weather in London")])
    await bob.microphone.say(later)
    await first
    asked = [await alice.heard(), await alice.heard(1)]
    assert [each.sender for each in asked] == ["alice", "bob"]
    said = "what is the weather in Paris", "the weather in London"
    assert [nearest(each.text, *said) for each in asked] == list(said)
    answer = await alice.answer_to(asked[1].attributes["lk.segment_id"])
    assert answer.text == "It is warm."


@pytest.mark.lengthy
async def test_speech_interrupts_the_agent(meet: Meet, model: DemoModel, worker: Worker) -> None:
    model.script(Reply(text=STORY), Reply(text=FINE))
    alice = await meet("alice", worker=worker)
    await alice.microphone.say("please tell me a story")
    message = (await alice.heard()).attributes["lk.segment_id"]
    # In its first three seconds it cannot be interrupted: clients learn to cancel the echo.
    await alice.ears.until_audible(4.5)
    await alice.microphone.say("what is the weather in Paris")
    assert (await alice.answer_to(message)).finish_reason == "interrupted"
    answer = await alice.answer_to((await alice.heard(1)).attributes["lk.segment_id"])
    assert answer.finish_reason == "stop"


# After 4 seconds the floor is given anew.
@pytest.mark.parametrize("pause", [1, pytest.param(4, marks=pytest.mark.lengthy)])
async def test_a_connection_that_breaks_costs_one_utterance(
    meet: Meet, model: DemoModel, services: StreamingServer, worker: Worker, pause: int
) -> None:
    model.script(Reply(text=FINE))
    services.cuts = 100
    alice = await meet("alice", worker=worker)
    silence = np.zeros(pause * RATE, np.int16)
    await alice.microphone.say(np.concatenate([await say("please tell me a story"), silence]))
    assert (await alice.notice("voice.failed"))["part"] == "stt"
    assert services.understood == []
    # It was tried twice, and silence is no reason to try again.
    assert len(services.listens) == 2
    services.cuts = 0
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    assert resembles(asked.text, "what is the weather in Paris")
    assert (await alice.answer_to(asked.attributes["lk.segment_id"])).text == FINE
    assert len(services.listens) == 3
    assert len(alice.notices("voice.failed")) == 1


@pytest.mark.lengthy
async def test_a_connection_without_sound_is_given_up(
    meet: Meet,
    model: DemoModel,
    services: StreamingServer,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.voice.tolerant_stream.IDLE", 3.0)
    model.script(Reply(text="Yes."), Reply(text="No."))
    alice = await meet("alice", worker=worker)
    for number, reply in enumerate(("Yes.", "No.")):
        await alice.microphone.say("what is the weather in Paris")
        asked = await alice.heard(number)
        assert (await alice.answer_to(asked.attributes["lk.segment_id"])).text == reply
        await services.left()
    assert len(services.listens) == 2
    assert alice.notices("voice.failed") == []


async def test_an_answer_that_cannot_be_spoken_is_in_writing(
    meet: Meet, model: DemoModel, services: StreamingServer, worker: Worker
) -> None:
    model.script(Reply(text=FINE), Reply(text="You are welcome."))
    services.tts_status = 503
    alice = await meet("alice", worker=worker)
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    assert (await alice.answer_to(asked.attributes["lk.segment_id"])).text == FINE
    assert (await alice.notice("voice.failed"))["part"] == "tts"
    services.tts_status = 101
    assert (await alice.ask("Thank you.")).text == "You are welcome."
    assert services.spoken == ["You are welcome."]


class Desk(Agent):
    """An Agent without ears and a mouth of its own."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the desk.")


def ears() -> stt.STT[object]:
    raise ValueError("there is no key")


async def test_instances_are_shared_and_personas_and_livekit_agents_use_them(
    meet: Meet, model: DemoModel, services: StreamingServer, start_worker: StartWorker
) -> None:
    urls = services.settings
    app = App(
        {"agent": Desk, "persona": Persona("You are a persona.")},
        stt=deepgram.STT(base_url=urls["DEEPGRAM_URL"]),
        tts=cartesia.TTS(base_url=urls["CARTESIA_URL"]),
    )
    model.script(Reply(text=FINE), Reply(text="It is warm."))
    worker = await start_worker(app=app)
    alice = await meet("alice", worker=worker)
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    assert (await alice.answer_to(asked.attributes["lk.segment_id"])).text == FINE
    assert services.spoken == [FINE]
    assert [each["language"] for each in services.listens] == ["en-US"]


async def test_a_room_does_without_what_the_app_cannot_make(
    meet: Meet, model: DemoModel, services: StreamingServer, start_worker: StartWorker
) -> None:
    mouth = cartesia.TTS(base_url=services.settings["CARTESIA_URL"])
    app = App({"desk": Persona("You are the desk.", stt=ears, tts=mouth)})
    model.script(Reply(text=FINE))
    alice = await meet("alice", worker=await start_worker(app=app))
    await alice.microphone.say("what is the weather in Paris")
    assert (await alice.notice("voice.failed"))["part"] == "stt"
    assert (await alice.ask("What is the weather?")).text == FINE
    assert services.spoken == [FINE]
