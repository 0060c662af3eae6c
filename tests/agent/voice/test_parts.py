"""Answers that are spoken have parts, as those in writing have."""

from __future__ import annotations

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import StartWorker
from tests.agent.voice.conftest import Meet
from tests.agent.voice.speech_server import SpeechServer
from toolkit import Data, ToolContext, tool


@tool
async def make_card(context: ToolContext) -> str:
    """Make a card."""
    context.show(Data("card", 1, id="card"))
    return "made"


async def test_a_spoken_answer_has_parts(
    meet: Meet, start_worker: StartWorker, speech: SpeechServer, model: DemoModel
) -> None:
    worker = await start_worker(
        tools=[make_card],
        SHOW_REASONING="true",
        STT_BASE_URL=speech.base_url,
        TTS_BASE_URL=speech.base_url,
    )
    alice = await meet("alice", worker=worker)
    await alice.until(lambda: alice.agent and alice.agent.track_publications)
    model.script(
        Reply(
            tokens=["<think>A card", " it is.</think>", "See."],
            tool_calls=[tool_call("makeCard")],
        ),
        Reply("It is made."),
    )
    question = await alice.say("Make a card, please.")
    answer = await alice.answer_to(question)
    parts = await alice.parts_of(question)
    assert "lk.transcribed_track_id" in answer.attributes
    assert [part["type"] for part in parts] == ["reasoning", "tool-call", "data"]
    assert parts[0]["text"] == "A card it is."
    assert (parts[1]["name"], parts[1]["state"]) == ("makeCard", "done")
    (stream,) = alice.parts_under_way(question)
    assert stream.attributes["lk.segment_id"] == answer.attributes["lk.segment_id"]
    assert answer.text in {"See.\n\nIt is made.", "See. It is made."}
