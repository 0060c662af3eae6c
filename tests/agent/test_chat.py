"""The main way: a message in, an answer out, token by token."""

from __future__ import annotations

import asyncio
import hashlib

from devserver.model import DemoModel, Reply
from tests.agent.conftest import Enter


async def test_an_answer_streams_on_every_reply_topic(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(text="Hello, Alice. This is the demo model."))
    alice = await enter("alice")
    message = await alice.say("hello")
    first = await alice.answer_to(message)
    mirror = await alice.answer_to(message, "lk.transcription")

    assert first.text == mirror.text == "Hello, Alice. This is the demo model."
    assert first.attributes == {
        "in_reply_to": message,
        "scope": "room",
        "lk.segment_id": mirror.attributes["lk.segment_id"],
        "lk.transcription_final": "false",
    }
    assert first.trailer is not None
    assert first.trailer["lk.transcription_final"] == "true"
    assert first.trailer["finish_reason"] == "stop"
    assert first.trailer["text_length"] == str(len(first.text.encode()))
    assert first.trailer["sha256"] == hashlib.sha256(first.text.encode()).hexdigest()
    finished = await alice.notice("answer.finished", inReplyTo=message)
    assert finished["segmentId"] == first.attributes["lk.segment_id"]
    assert finished["finishReason"] == "stop"
    assert finished["senderId"] == "agent"


async def test_tokens_leave_as_they_come(enter: Enter, model: DemoModel) -> None:
    gate = asyncio.Event()
    model.script(Reply(tokens=["One ", "two"], after=1, pause=gate))
    alice = await enter("alice")
    message = await alice.say("count")
    begun = await alice.begun_answer_to(message)
    assert begun.text == "One "
    assert begun.trailer is None
    gate.set()
    assert (await alice.answer_to(message)).text == "One two"
