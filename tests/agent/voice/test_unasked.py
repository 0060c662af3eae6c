"""Unasked answers are spoken if there is a voice."""

from __future__ import annotations

import json

import pytest

from agent import App, Persona
from tests.agent.app.test_unasked import unasked
from tests.agent.conftest import StartWorker
from tests.agent.voice.conftest import Meet
from tests.agent.voice.speech import resembles
from tests.agent.voice.speech_server import SpeechServer
from toolkit import ToolContext, tool

pytestmark = pytest.mark.usefixtures("model")


async def test_it_is_spoken(meet: Meet, start_worker: StartWorker, speech: SpeechServer) -> None:
    @tool
    async def announce(context: ToolContext, text: str, to: str | None = None) -> str:
        """Announce something."""
        assert context.room is not None
        return context.room.say(text, to=to)

    worker = await start_worker(
        app=App({"desk": Persona("You are the desk.")}, tools=[announce]),
        STT_BASE_URL=speech.base_url,
        TTS_BASE_URL=speech.base_url,
    )
    alice = await meet("alice", worker=worker)
    await alice.until(lambda: alice.agent and alice.agent.track_publications)
    await alice.call("announce", json.dumps({"text": "For you alone.", "to": "alice"}))
    await alice.notice("answer.finished")
    await alice.call("announce", json.dumps({"text": "The weather is beautiful today."}))
    heard = await alice.ears.understood()
    said = (await alice.until(lambda: unasked(alice)[-1:]))[0]
    assert said.text == "The weather is beautiful today."
    assert resembles(heard, said.text)
    assert said.attributes["lk.transcribed_track_id"]
    assert speech.spoken == [said.text]
