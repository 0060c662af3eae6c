"""The Python client's messages, with a participant who plays the agent."""

from __future__ import annotations

import asyncio

import pytest
from livekit import rtc

from agent.client import Message, MessageList, RoomAgent
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


class Thread:
    """A question, and what comes of its answers and edits."""

    def __init__(self) -> None:
        self.list = MessageList()
        self.question = self.list.put(Message("q", "room", "user", "ana", text="What time is it?"))

    def begin(self, text: str, *parts: str) -> Message:
        answer = Message("a", "room", "assistant", "agent", text=text, in_reply_to="q")
        answer.in_reply_to_sender = "ana"
        answer.parts = {each: {"id": each} for each in parts}
        return self.list.put(answer)

    def end(self, answer: Message, reason: str = "stop") -> None:
        answer.finish_reason = reason
        self.list.ended(answer)

    def answer(self, text: str, *parts: str) -> None:
        self.end(self.begin(text, *parts))

    def edit(self, text: str) -> None:
        ids = {"messageIds": ["q"], "authorId": "ana"}
        self.list.apply({"event": "message.edited", **ids, "thread": "room", "newText": text})

    @property
    def versions(self) -> list[tuple[str, str | None]]:
        former = self.question.versions
        return [(each.text, each.answer and each.answer.text) for each in former]


def test_a_question_keeps_what_it_and_its_answers_were_each_once() -> None:
    thread = Thread()
    thread.answer("Noon.")
    assert thread.versions == []
    thread.answer("Noon.")
    assert thread.versions == []  # It was sent once more.
    thread.answer("Midday.")
    thread.edit("And in Rome?")
    before = [("What time is it?", "Noon."), ("What time is it?", "Midday.")]
    assert thread.versions == before
    thread.answer("Midday.")
    assert thread.versions == before
    thread.answer("One.")
    assert thread.versions == [*before, ("And in Rome?", "Midday.")]
    # As it comes from the history.
    stored = Message("q", "room", "user", "ana", text="And in Bonn?", position=1)
    thread.question = thread.list.put(stored)
    assert thread.versions == [*before, ("And in Rome?", "Midday."), ("And in Rome?", "One.")]
    thread.list.remove(next(each for each in thread.list if each.id == "a"))
    assert thread.versions == []


def test_an_edit_whose_next_answer_begins_before_its_notice_makes_one_version() -> None:
    thread = Thread()
    thread.answer("Noon.")
    answer = thread.begin("One.")
    thread.edit("And in Rome?")
    thread.end(answer)
    assert thread.versions == [("What time is it?", "Noon.")]


@pytest.mark.parametrize("is_end_first", [True, False])
def test_what_an_edit_stopped_is_kept(*, is_end_first: bool) -> None:
    thread = Thread()
    answer = thread.begin("It is")
    if is_end_first:
        thread.end(answer, "cancelled")
    thread.edit("And in Rome?")
    if not is_end_first:
        thread.end(answer, "cancelled")
    thread.answer("One.")
    assert thread.versions == [("What time is it?", "It is")]


def test_a_former_answer_has_its_own_parts() -> None:
    thread = Thread()
    thread.answer("Noon.", "s-1")
    (_, answer) = thread.list
    # The next ones begin before their text, or are this answer's last ones.
    for is_next in (False, True):
        thread.list.parts_begin(answer)
        answer.parts = {"s-2": {"id": "s-2"}} if is_next else {"s-0": {"id": "s-0"}}
        if not is_next:
            thread.list.parts_end(answer)
    thread.answer("Midday.", "s-2")
    (version,) = thread.question.versions
    assert version.answer is not None
    assert list(version.answer.parts) == ["s-0"]


def test_the_last_twenty_versions_are_kept() -> None:
    thread = Thread()
    for number in range(25):
        thread.edit(f"Question {number}")
    assert len(thread.versions) == 20
    assert thread.versions[-1] == ("Question 23", None)
