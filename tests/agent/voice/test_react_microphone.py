"""LiveKit's React hooks with a microphone: what is said first is heard, and shown as they do."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest
from livekit import api

from devserver.model import DemoModel, Reply
from tests.agent.clients import react_page
from tests.agent.clients.browser import Chromium
from tests.agent.clients.react_page import ReactPage
from tests.agent.conftest import StartWorker, Worker
from tests.agent.voice.speech import say
from tests.agent.voice.speech_server import SpeechServer
from tests.chromium import browser_on_path
from tests.room_server import RoomServerUnderTest

QUESTION = "what is the weather in Paris"
SECONDS = 60
"""Of silence after the question: the browser plays the file once."""


@pytest.fixture(scope="module")
async def speaking_chromium(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[Chromium]:
    """A browser whose microphone says the question as soon as it is opened."""
    if (executable := browser_on_path()) is None:
        pytest.skip("no Chromium: `make setup-clients` installs it")
    file = tmp_path_factory.mktemp("microphone") / "question.wav"
    said = await say(QUESTION, 48_000)
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, 48_000, 0, "NONE", ""))
        sound.writeframes(np.concatenate([said, np.zeros(SECONDS * 48_000, np.int16)]).tobytes())
    browser = Chromium(executable, microphone=file)
    yield browser
    await browser.aclose()


@pytest.fixture(scope="module")
async def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await react_page.bundle(tmp_path_factory.mktemp("react"))


@pytest.fixture
async def alice(
    speaking_chromium: Chromium,
    script: Path,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> AsyncGenerator[ReactPage]:
    token = room_server.token("alice", room_name)
    # livekit-client 2.23 does not find it among the options that useSession passes for the
    # microphone (LocalParticipant.ts, setTrackEnabled).
    options = {"publishDefaults": {"preConnectBuffer": True}}
    page = await ReactPage.open(speaking_chromium, script, room_server.url, token, options)
    yield page
    await page.aclose()


@pytest.fixture
async def worker(start_worker: StartWorker, speech: SpeechServer) -> Worker:
    return await start_worker(STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url)


async def test_speech_before_the_agent_joins_is_heard_and_answered(
    alice: ReactPage,
    worker: Worker,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    model.when("", Reply("It is warm and sunny in Paris today."))
    # As useSession does it by default.
    starting = asyncio.create_task(alice.run("app.start()"))
    await alice.until("app.states.includes('pre-connect-buffering')")
    await lk_api.agent_dispatch.create_dispatch(
        api.CreateAgentDispatchRequest(agent_name=worker.name, room=room_name)
    )
    await starting
    await alice.shows("It is warm and sunny in Paris today.")
    question, answer = await alice.get("messages")
    assert (question["type"], question["from"]) == ("userTranscript", "alice")
    # Its beginning was said before the agent was there. The recogniser mishears words, not so many.
    assert len(question["message"].split()) >= len(QUESTION.split()) - 1
    assert (answer["type"], answer["from"]) == ("agentTranscript", "agent")
    # Its statements are true when they are made.
    await alice.until("app.states.includes('speaking')")
    states = await alice.get("states")
    assert states[:3] == ["disconnected", "connecting", "pre-connect-buffering"]
    assert states.index("listening") < states.index("speaking")
    assert await alice.get("tracksWhenListening") == [True]
    await alice.until("app.voiceAssistant === 'listening'")
    assistant = await alice.get("assistant")
    assert assistant == {"hasTrack": True, "said": ["It is warm and sunny in Paris today."]}
