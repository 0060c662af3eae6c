"""The agent says that it listens when it can hear, in rooms in which somebody has a microphone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from livekit import api

from agent.models.service import ModelService
from devserver.model import DemoModel, Reply
from tests.agent.conftest import StartWorker, Worker
from tests.agent.voice.conftest import Meet, Person
from tests.agent.voice.speech import resembles
from tests.agent.voice.speech_server import SpeechServer
from tests.room_server import RoomServerUnderTest


@pytest.fixture
async def worker(start_worker: StartWorker, speech: SpeechServer) -> Worker:
    return await start_worker(STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url)


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The speech models take until this is set, as on a cold worker."""
    loaded = asyncio.Event()
    load: Callable[[ModelService], Awaitable[object]] = ModelService.load_speech

    async def wait(service: ModelService) -> object:
        await loaded.wait()
        return await load(service)

    monkeypatch.setattr(ModelService, "load_speech", wait)
    return loaded


def has_track(person: Person) -> bool:
    return person.agent is not None and bool(person.agent.track_publications)


async def test_it_is_initializing_while_it_cannot_hear_yet(
    meet: Meet, worker: Worker, loading: asyncio.Event, model: DemoModel
) -> None:
    alice = await meet("alice", worker=worker, microphone=False)
    await alice.until(lambda: alice.state == "listening")
    await alice.microphone.publish()
    await alice.until(lambda: alice.state == "initializing")
    # It can answer all the same.
    gate = asyncio.Event()
    model.script(Reply(tokens=["Good ", "morning."], after=1, pause=gate))
    message = await alice.say("Good morning.")
    await alice.until(lambda: alice.state == "speaking")
    gate.set()
    await alice.answer_to(message)
    await alice.until(lambda: alice.state == "initializing")
    assert not has_track(alice)
    loading.set()
    await alice.until(lambda: alice.state == "listening")
    assert has_track(alice)
    await alice.microphone.say("what is the weather in Paris")
    assert resembles((await alice.heard()).text, "what is the weather in Paris")


async def test_it_never_says_so_before_where_the_microphone_was_there_first(
    worker: Worker,
    loading: asyncio.Event,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    alice = Person()
    await alice.room.connect(room_server.url, room_server.token("alice", room_name))
    await alice.microphone.publish()
    async with room_server.api() as server:
        await server.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(agent_name=worker.name, room=room_name)
        )
    await alice.until_ready()
    await alice.until(lambda: alice.state == "initializing")
    assert "listening" not in alice.states
    loading.set()
    await alice.until(lambda: alice.state == "listening")
    assert has_track(alice)
    await alice.microphone.aclose()
    await alice.room.disconnect()


async def test_it_listens_to_what_is_written_where_it_will_not_hear(
    meet: Meet, worker: Worker, monkeypatch: pytest.MonkeyPatch, model: DemoModel
) -> None:
    failing = asyncio.Event()

    async def fail(_: ModelService) -> object:
        await failing.wait()
        raise OSError("no such model")

    monkeypatch.setattr(ModelService, "load_speech", fail)
    alice = await meet("alice", worker=worker)
    await alice.until(lambda: alice.state == "initializing")
    failing.set()
    await alice.notice("voice.failed")
    await alice.until(lambda: alice.state == "listening")
    model.script(Reply(text="Good morning."))
    assert (await alice.ask("Good morning.")).text == "Good morning."


async def test_a_room_without_a_microphone_listens_at_once(
    meet: Meet, start_worker: StartWorker, speech: SpeechServer, loading: asyncio.Event
) -> None:
    always = await start_worker(
        VOICE="on", STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url
    )
    alice = await meet("alice", worker=always, microphone=False)
    await alice.until(lambda: alice.state == "listening")
    before = list(alice.states)
    loading.set()
    await alice.until(lambda: has_track(alice))
    assert alice.states == before
