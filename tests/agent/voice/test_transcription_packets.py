"""Transcriptions in packets, for clients and components that read no streams of them."""

from __future__ import annotations

import asyncio

import pytest
from livekit import rtc

from agent.replies.reply_output import Ending
from agent.replies.transcription_output import TranscriptionOutput
from agent.wire.legacy_transcription import MAX_TEXT_BYTES
from devserver.model import DemoModel, Reply
from tests.agent.conftest import Enter
from tests.agent.voice.conftest import Meet, Person
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest

FINE = "The weather in Paris is beautiful today."
STORY = (
    "Once upon a time there was a small village by the sea. In the village lived an old sailor. "
    "Every evening the sailor walked to the harbour and looked at the water. "
    "One day he saw a strange ship with a golden sail, and he wondered who was on board."
)


async def test_question_and_answer_are_segments_of_the_tracks_that_they_are_said_on(
    meet: Meet, model: DemoModel
) -> None:
    model.script(Reply(text=FINE))
    alice = await meet("alice", name="Alice")
    await alice.microphone.say("what is the weather in Paris")
    asked = await alice.heard()
    question = await alice.final_segment(asked.attributes["lk.segment_id"])
    assert question.text == asked.text
    # Her own track is none that the SDK looks up for a packet.
    assert question.identity == "alice"
    answer = await alice.answer_to(asked.attributes["lk.segment_id"])
    said = await alice.final_segment(answer.attributes["lk.segment_id"])
    assert (said.identity, said.text) == ("agent", FINE)
    assert said.track == answer.attributes["lk.transcribed_track_id"]


@pytest.mark.lengthy
async def test_of_an_interrupted_answer_it_is_what_was_said_aloud(
    meet: Meet, model: DemoModel
) -> None:
    model.script(Reply(text=STORY), Reply(text=FINE))
    alice = await meet("alice")
    await alice.microphone.say("please tell me a story")
    message = (await alice.heard()).attributes["lk.segment_id"]
    await alice.ears.until_audible(4.5)
    await alice.microphone.say("what is the weather in Paris")
    story = await alice.answer_to(message)
    assert story.trailer is not None
    said = await alice.final_segment(story.attributes["lk.segment_id"])
    assert said.text == STORY.encode()[: int(story.trailer["heard_length"])].decode()
    shown = [each.text for each in alice.segments if each.id == said.id and not each.final]
    assert shown[-1] == STORY  # Until then all that was written.


async def test_there_are_none_in_a_room_without_a_voice(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(text=FINE))
    alice = Person()
    await enter("alice", client=alice)
    assert (await alice.ask("What is the weather?")).text == FINE
    await alice.notice("answer.finished")
    assert alice.segments == []


def ending(text: str, heard: str | None = None) -> Ending:
    return Ending("stop" if heard is None else "interrupted", text, len(text), "", heard)


async def test_a_long_text_goes_on_in_further_segments(
    join: Join, room_server: RoomServerUnderTest, room_name: str
) -> None:
    received = asyncio.Queue[rtc.TranscriptionSegment]()

    def on_segments(segments: list[rtc.TranscriptionSegment], *_: object) -> None:
        for each in segments:
            received.put_nowait(each)

    def listen(room: rtc.Room) -> None:
        room.on("transcription_received", on_segments)

    await join("alice", prepare=listen)
    # Nobody but an agent may send transcriptions; it learns of alice as it joins.
    token = room_server.access_token("agent", room_name).with_kind("agent")
    room = await join("agent", token=token.to_jwt())
    text = "naïve " * 5_000
    output = TranscriptionOutput(room, "SG_1", "TR_1")
    output.push(text)
    await output.end(ending(text))
    finals: dict[str, str] = {}
    async with asyncio.timeout(20):
        while "".join(finals.values()) != text:
            segment = await received.get()
            assert len(segment.text.encode()) <= MAX_TEXT_BYTES
            if segment.final:
                finals[segment.id] = segment.text
    assert list(finals) == ["SG_1", "SG_1.1", "SG_1.2"]
