"""A participant who joins in the middle of an answer gets all of it, and nobody gets it twice."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from devserver.model import DemoModel, Reply
from tests.agent.chat_client import REPLY_TOPICS, Answer, ChatClient, announced
from tests.agent.conftest import Enter
from tests.agent.replies.test_private import private_answer, private_deltas, told
from tests.room_server import RoomServerUnderTest

REST = " And that was all of it."


def said_so_far(size: int) -> str:
    return ("naïve " * (size // 6 + 1))[:size]


async def hears_so_far(client: ChatClient, message: str, text: str) -> None:
    """Returns when the client has received this much of the answer, on every topic."""
    for topic in REPLY_TOPICS:
        await client.until(
            lambda topic=topic: [a for a in client.answers_to(message, topic) if a.text == text]
        )


async def heard_once(client: ChatClient, message: str, text: str) -> list[Answer]:
    """The client's answers to a message: one on every topic, whole."""
    for topic in REPLY_TOPICS:
        await client.answer_to(message, topic)
    answers = [a for topic in REPLY_TOPICS for a in client.answers_to(message, topic)]
    assert [answer.topic for answer in answers] == list(REPLY_TOPICS)
    for answer in answers:
        assert answer.text == text
        assert answer.trailer is not None
        assert answer.trailer["sha256"] == hashlib.sha256(text.encode()).hexdigest()
        assert answer.trailer["text_length"] == str(len(text.encode()))
    return answers


@pytest.mark.parametrize("size", [10, 10_000, 100_000])
async def test_a_late_joiner_gets_what_was_said_and_the_rest(
    enter: Enter, model: DemoModel, size: int
) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await announced(alice, bob)
    gate, so_far = asyncio.Event(), said_so_far(size)
    model.script(Reply(tokens=[so_far, REST], after=1, pause=gate))
    message = await alice.say("tell me all of it")
    await hears_so_far(alice, message, so_far)
    carol = await enter("carol")
    await hears_so_far(carol, message, so_far)
    gate.set()

    late = await heard_once(carol, message, so_far + REST)
    on_time = await heard_once(alice, message, so_far + REST)
    assert [each.attributes for each in late] == [each.attributes for each in on_time]
    assert [each.trailer for each in late] == [each.trailer for each in on_time]
    assert {each.stream_id for each in late}.isdisjoint(each.stream_id for each in on_time)
    await carol.notice("answer.finished", inReplyTo=message, finishReason="stop")
    await bob.ask("anything new?")
    await heard_once(bob, message, so_far + REST)
    await heard_once(alice, message, so_far + REST)


async def test_a_question_right_after_joining_is_answered_once(
    enter: Enter, model: DemoModel
) -> None:
    await enter("alice")
    gate = asyncio.Event()
    model.script(Reply(tokens=["One. ", "Two."], after=1, pause=gate))
    bob = await enter("bob")
    message = await bob.say("how many?")
    await hears_so_far(bob, message, "One. ")
    # By the time that someone who joined later has it, bob has long been announced.
    carol = await enter("carol")
    await hears_so_far(carol, message, "One. ")
    gate.set()
    await heard_once(bob, message, "One. Two.")
    await heard_once(carol, message, "One. Two.")


async def test_many_late_joiners_get_it_one_after_the_other(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice")
    gate, so_far = asyncio.Event(), said_so_far(1_000)
    model.script(Reply(tokens=[so_far, REST], after=1, pause=gate))
    message = await alice.say("tell me all of it")
    await hears_so_far(alice, message, so_far)
    late = [await enter(f"late-{number}") for number in range(7)]
    gone = await enter("gone")
    await gone.room.disconnect()
    gate.set()
    for client in (*late, alice):
        await heard_once(client, message, so_far + REST)
    assert (await alice.ask("and now?")).finish_reason == "stop"
    for client in (*late, alice):
        await heard_once(client, message, so_far + REST)


async def test_a_participant_announced_after_the_end_gets_it_too(
    enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice")
    gate = asyncio.Event()
    model.script(Reply(tokens=["One. ", "Two."], after=1, pause=gate))
    message = await alice.say("how many?")
    await hears_so_far(alice, message, "One. ")
    bob = await enter("bob")
    gate.set()
    await heard_once(alice, message, "One. Two.")
    await heard_once(bob, message, "One. Two.")
    await bob.notice("answer.finished", inReplyTo=message)


async def test_joining_before_the_first_word_or_after_the_last_repeats_nothing(
    enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice")
    gate = asyncio.Event()
    model.script(Reply(text="One.", pause=gate))
    message = await alice.say("how many?")
    await alice.until(lambda: "thinking" in alice.states)
    bob = await enter("bob")
    await alice.until(lambda: "bob" in alice.room.remote_participants)
    gate.set()
    await heard_once(bob, message, "One.")
    for _ in range(3):
        await bob.ask("anything else?")
    carol = await enter("carol")
    last = await carol.ask("and now?")
    assert carol.answers_to(message, REPLY_TOPICS[0]) == []
    await heard_once(bob, message, "One.")
    await heard_once(carol, last.in_reply_to, last.text)


async def test_an_asker_who_returns_in_the_middle_gets_the_whole_answer(
    enter: Enter, model: DemoModel
) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await announced(alice, bob)
    gate = asyncio.Event()
    model.script(Reply(tokens=["One. ", "Two."], after=1, pause=gate))
    message = await alice.say("how many?")
    await hears_so_far(alice, message, "One. ")
    again = await enter("alice")  # Takes the first one's place, as a client that reconnects does.
    await hears_so_far(again, message, "One. ")
    gate.set()
    await heard_once(again, message, "One. Two.")
    await heard_once(bob, message, "One. Two.")
    assert len(model.requests) == 1


async def test_a_private_answer_begins_again_when_its_asker_comes_back(
    enter: Enter, model: DemoModel, room_server: RoomServerUnderTest, room_name: str
) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await announced(alice, bob)
    gate = asyncio.Event()
    model.script(Reply(tokens=["Xyzzy. ", "Plugh."], after=1, pause=gate))
    message = await alice.say("between us", scope="private")
    await alice.until(lambda: private_deltas(alice, message))
    again = await enter("alice")
    await again.until(lambda: private_deltas(again, message))
    gate.set()
    text, last = await private_answer(again, message)
    assert text == "Xyzzy. Plugh."
    assert last["finishReason"] == "stop"
    await bob.ask("anything new?")
    assert told(room_server.embedded, room_name, "Xyzzy", again, bob) == {"alice"}
    assert len([each for each in model.requests if "between us" in each.chat.user_text]) == 1
