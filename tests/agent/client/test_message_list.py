"""The Python client's messages, with a participant who plays the agent."""

from __future__ import annotations

import asyncio

from livekit import rtc

from agent.client import Message, RoomAgent
from tests.agent.client.test_room_agent import Asker
from tests.conftest import Join


async def test_parts_are_those_of_the_newest_stream_and_of_no_former_answer(join: Join) -> None:
    ana = RoomAgent(await join("ana"), identity="asker")
    asker = Asker(join, ana)
    await asker.comes()
    changed = asyncio.Event()
    ana.messages.on_change(lambda _: changed.set())

    async def open_stream(topic: str) -> rtc.TextStreamWriter:
        head = {"lk.segment_id": "SG_1", "in_reply_to": "m-1", "in_reply_to_sender": "ana"}
        return await asker.room.local_participant.stream_text(topic=topic, attributes=head)

    async def shows(text: str, *parts: str) -> None:
        async with asyncio.timeout(20):
            while (message := ana.messages.find("SG_1")) is None or message.text != text:
                changed.clear()
                await changed.wait()
            while list(message.parts) != list(parts):
                changed.clear()
                await changed.wait()

    text = await open_stream("llm-response")
    await text.write("Noon")
    superseded = await open_stream("agent.parts")
    await superseded.write('{"id": "s-1", "type": "suggestion", "text": "Why?"}\n')
    await shows("Noon", "s-1")
    newer = await open_stream("agent.parts")
    await newer.write('{"id": "r-1", "append": "of a part that never came"}\n')
    await newer.write('{"id": "s-2", "type": "suggestion", "text": "When?"}\n')
    await newer.aclose()
    await shows("Noon", "s-2")
    await superseded.aclose()
    await text.write(".")
    await shows("Noon.", "s-2")
    await text.aclose(attributes={"finish_reason": "stop"})
    again = await open_stream("llm-response")
    await again.write("One.")
    await shows("One.")
    await ana.aclose()


async def test_messages_of_an_erased_participant_are_removed_with_their_answers(join: Join) -> None:
    ana = RoomAgent(await join("ana"), identity="asker")
    asker = Asker(join, ana)
    await asker.comes()
    heard = asyncio.Event()
    ana.on_notice = lambda _: heard.set()
    for sender in ("bob", "carl"):
        ana.messages.put(Message(f"q-{sender}", "room", "user", sender))
        answer = Message(f"a-{sender}", "room", "assistant", "asker", in_reply_to_sender=sender)
        ana.messages.put(answer)
    await asker.tells(event="author.erased", thread="room", authorId="bob")
    async with asyncio.timeout(20):
        await heard.wait()
    assert [each.id for each in ana.messages] == ["q-carl", "a-carl"]
    await ana.aclose()
