"""Microphones come and go, and who is listened to can be chosen."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from livekit import rtc

from agent.inbox.incoming_streams import RoomStreams
from agent.voice.floor import Floor
from agent.voice.microphone import Microphone as Heard
from agent.voice.microphones import Microphones
from agent.voice.pre_connect_audio import PreConnectAudio
from agent.wire.notices import Notices
from devserver.model import DemoModel, Reply
from tests.agent.conftest import StartWorker
from tests.agent.room.test_room_tasks import Failing
from tests.agent.voice.conftest import Meet
from tests.agent.voice.person import Microphone
from tests.agent.voice.speech import RATE, resembles, say
from tests.agent.voice.speech_server import SpeechServer
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest


@pytest.mark.lengthy
async def test_a_microphone_that_goes_in_mid_sentence_ends_the_turn(
    meet: Meet, model: DemoModel
) -> None:
    model.script(Reply(text="First."), Reply(text="Second."))
    alice = await meet("alice")
    question, half = await say("what is the weather in Paris"), int(1.5 * RATE)
    await alice.microphone.subscribed()
    # The first sound of a track takes a while to come.
    await alice.microphone.say(np.concatenate([np.zeros(RATE, np.int16), question[:half]]))
    alice.microphone.track.mute()
    muted = await alice.heard()
    assert muted.text.split()
    assert (await alice.answer_to(muted.attributes["lk.segment_id"])).text == "First."
    alice.microphone.track.unmute()
    await alice.microphone.say(question[:half])
    await alice.microphone.unpublish()
    unpublished = await alice.heard(1)
    assert unpublished.text.split()
    assert (await alice.answer_to(unpublished.attributes["lk.segment_id"])).text == "Second."
    # With the last microphone the voice ends, and the conversation goes on in writing.
    await alice.until(lambda: alice.agent is not None and not alice.agent.track_publications)
    written = await alice.ask("And now?")
    assert "lk.transcribed_track_id" not in written.attributes


async def test_a_microphone_is_heard_after_its_reader_has_failed(
    meet: Meet,
    model: DemoModel,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model.when("", Reply(text="It is warm."))
    alice = await meet("alice")
    await alice.microphone.subscribed()
    failing = Failing(Floor, "take", 2)
    monkeypatch.setattr(Floor, "take", failing)
    # Two frames of silence, and the pauses after them.
    question = await say("what is the weather in Paris")
    await alice.microphone.say(np.concatenate([np.zeros(2 * RATE, np.int16), question]))
    asked = await alice.heard()
    assert resembles(asked.text, "what is the weather in Paris")
    assert (await alice.answer_to(asked.attributes["lk.segment_id"])).text == "It is warm."
    assert failing.left == 0
    assert caplog.text.count("the task 'microphone' failed, restarting in") == 2


async def test_the_agent_listens_to_the_selected_participant(meet: Meet, model: DemoModel) -> None:
    model.when("", Reply(text="Yes."))
    alice = await meet("alice")
    bob = await meet("bob")
    with pytest.raises(rtc.RpcError, match="nobody") as refused:
        await bob.call("setListening", '{"identity": "carol"}')
    assert refused.value.code == 404
    answer = await bob.call("setListening", '{"identity": "bob"}')
    assert json.loads(answer) == {"listening": "bob"}
    for taken in ('"alice"', "null", '"bob"'):
        with pytest.raises(rtc.RpcError, match="moderators") as refused:
            await alice.call("setListening", f'{{"identity": {taken}}}')
        assert refused.value.code == 403
    await asyncio.gather(
        alice.microphone.say("what is the weather in Paris"),
        bob.microphone.say("what is the weather in London"),
    )
    assert (await alice.heard()).sender == "bob"
    await bob.call("setListening", '{"identity": null}')
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard(1)
    assert asked.sender == "alice"
    assert "london" not in asked.text


async def test_voice_can_be_off_or_always_on(
    meet: Meet, start_worker: StartWorker, speech: SpeechServer, model: DemoModel
) -> None:
    model.when("", Reply(text="Yes."))
    off = await start_worker(VOICE="off")
    alice = await meet("alice", worker=off)
    assert alice.agent is not None
    assert "setListening" not in alice.agent.attributes["agent.ready"]
    await alice.microphone.say("what is the weather in Paris")
    answer = await alice.ask("Can you hear me?")
    assert "lk.transcribed_track_id" not in answer.attributes
    assert not alice.agent.track_publications
    assert alice.transcripts == []


async def test_a_voice_that_is_always_on_speaks_to_people_who_only_write(
    meet: Meet, start_worker: StartWorker, speech: SpeechServer, model: DemoModel
) -> None:
    model.script(Reply(text="The weather in Paris is beautiful today."))
    on = await start_worker(VOICE="on", TTS_BASE_URL=speech.base_url)
    alice = await meet("alice", worker=on, microphone=False)
    await alice.until(lambda: alice.agent is not None and alice.agent.track_publications)
    answer = await alice.ask("Good morning.")
    assert "lk.transcribed_track_id" in answer.attributes
    assert resembles(await alice.ears.understood(), answer.text)


async def test_a_voice_that_is_always_on_ends_while_everybody_is_away(
    meet: Meet,
    start_worker: StartWorker,
    speech: SpeechServer,
    join: Join,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    on = await start_worker(VOICE="on", TTS_BASE_URL=speech.base_url)
    alice = await meet("alice", worker=on, microphone=False)
    await alice.until(lambda: alice.agent is not None and alice.agent.track_publications)
    taken_back = asyncio.Event()

    def watch(room: rtc.Room) -> None:
        room.on("track_unpublished", lambda *_: taken_back.set())  # pyright: ignore[reportUnknownLambdaType]

    token = room_server.access_token("another-agent", room_name).with_kind("agent").to_jwt()
    await join("another-agent", token=token, prepare=watch)
    assert not taken_back.is_set()
    await alice.room.disconnect()
    async with asyncio.timeout(20):
        await taken_back.wait()
    bob = await meet("bob", worker=on, microphone=False)
    await bob.until(lambda: bob.agent is not None and bob.agent.track_publications)


async def test_a_microphone_that_is_back_soon_finds_the_same_voice(
    meet: Meet, model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long it takes to publish another one.
    monkeypatch.setattr("agent.voice.voice_switch.COMES_BACK_WITHIN", 30.0)
    model.when("", Reply(text="Yes."))
    alice = await meet("alice")
    await alice.until(lambda: alice.agent is not None and alice.agent.track_publications)
    assert alice.agent is not None
    track = list(alice.agent.track_publications)
    await alice.microphone.unpublish()
    alice.microphone = Microphone(alice.room)
    await alice.microphone.publish()
    await alice.microphone.subscribed()
    await alice.microphone.say("what is the weather in Paris")
    answer = await alice.answer_to((await alice.heard()).attributes["lk.segment_id"])
    assert list(alice.agent.track_publications) == track
    assert [answer.attributes["lk.transcribed_track_id"]] == track


class _Ear(Floor):
    """Notes that something came from a microphone."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Event()

    def take(self, microphone: Heard, frame: rtc.AudioFrame) -> None:
        self.heard.set()
        super().take(microphone, frame)


def _lost(_publication: rtc.RemoteTrackPublication, _subscribed: bool) -> None:
    """The SDK's behaviour while it reconnects."""


async def test_a_microphone_is_asked_for_again_after_a_reconnection(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = await join("listener", options=rtc.RoomOptions(auto_subscribe=False))
    speaker = await join("speaker")
    microphone = Microphone(speaker)
    await microphone.publish()
    ear, notices = _Ear(), Notices(listener)
    microphones = Microphones(
        listener, ear, PreConnectAudio(RoomStreams(listener, notices), notices)
    )
    with monkeypatch.context() as lost:
        lost.setattr(rtc.RemoteTrackPublication, "set_subscribed", _lost)
        microphones.open()
    listener.emit("reconnected")
    async with asyncio.timeout(10):
        await ear.heard.wait()
    await microphones.aclose()
    await microphone.aclose()
