"""Streams of one answer have one id on each topic, for the clients that replace what they show."""

from __future__ import annotations

import asyncio
import json

from devserver.model import DemoModel, Reply
from tests.agent.chat_client import REPLY_TOPICS, Answer, ChatClient
from tests.agent.client_protocol import lie_about_protocol
from tests.agent.conftest import Enter
from tests.agent.replies.test_private import private_answer
from tests.room_server import RoomServerUnderTest

APPENDING = 1
"""The client protocol of the SDKs whose components append a stream with a known id."""


async def ids_of(client: ChatClient, message: str, text: str) -> list[str]:
    """The ids of the streams in which a client received the answer with this text, by topic."""

    def found() -> list[Answer]:
        answers = [each for each in client.answers if each.in_reply_to == message]
        answers = [each for each in answers if each.text == text and each.finish_reason]
        return answers if len(answers) >= len(REPLY_TOPICS) else []

    answers = await client.until(found)
    assert sorted(each.topic for each in answers) == sorted(REPLY_TOPICS), "each of them once"
    return [each.stream_id for topic in REPLY_TOPICS for each in answers if each.topic == topic]


async def regenerate(client: ChatClient, message: str) -> None:
    await client.ask_method("regenerate", json.dumps({"messageId": message}))


async def test_an_answer_that_is_given_again_keeps_its_stream_ids(
    enter: Enter, model: DemoModel
) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await bob.ask("hello everybody")
    model.script(Reply("One."), Reply("Two."), Reply("Three."))
    message = await alice.say("how many?")
    first = await ids_of(alice, message, "One.")
    segment = alice.answers_to(message, REPLY_TOPICS[0])[0].attributes["lk.segment_id"]
    assert first == [f"{segment}:llm-response", segment]
    await regenerate(alice, message)
    assert await ids_of(alice, message, "Two.") == first
    assert await ids_of(bob, message, "Two.") == first
    await alice.ask_method("editMessage", json.dumps({"messageId": message, "text": "and now?"}))
    assert await ids_of(alice, message, "Three.") == first


async def test_clients_that_append_get_another_id(
    enter: Enter, model: DemoModel, room_server: RoomServerUnderTest, room_name: str
) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await bob.ask("hello everybody")
    lie_about_protocol(room_server, room_name, "bob", APPENDING)
    model.script(Reply("One."), Reply(tokens=["Tw", "o."]), Reply("Three."))
    message = await alice.say("how many?")
    first = await ids_of(alice, message, "One.")
    assert await ids_of(bob, message, "One.") == first
    await regenerate(alice, message)
    assert await ids_of(alice, message, "Two.") == first
    assert set(await ids_of(bob, message, "Two.")).isdisjoint(first)


async def test_a_late_joiner_keeps_the_ids_of_their_copy(enter: Enter, model: DemoModel) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await bob.ask("hello everybody")
    gate = asyncio.Event()
    model.script(Reply(tokens=["One. ", "Two."], after=1, pause=gate), Reply("Three."), Reply("4."))
    message = await alice.say("how many?")
    await alice.begun_answer_to(message)
    carol = await enter("carol")
    await carol.begun_answer_to(message)
    gate.set()
    first = await ids_of(alice, message, "One. Two.")
    copied = await ids_of(carol, message, "One. Two.")
    assert set(copied).isdisjoint(first)
    for text in ("Three.", "4."):
        await regenerate(alice, message)
        assert await ids_of(alice, message, text) == first
        assert await ids_of(bob, message, text) == first
        assert await ids_of(carol, message, text) == copied


async def test_a_participant_not_announced_yet_gets_a_renewed_answer_too(
    enter: Enter, model: DemoModel, room_server: RoomServerUnderTest, room_name: str
) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await bob.ask("hello everybody")
    lie_about_protocol(room_server, room_name, "bob", APPENDING)
    model.script(Reply("One."), Reply("Two."))
    message = await alice.say("how many?")
    await ids_of(bob, message, "One.")
    carol = await enter("carol")
    await regenerate(alice, message)
    await ids_of(carol, message, "Two.")
    await ids_of(bob, message, "Two.")
    await ids_of(alice, message, "Two.")


async def test_an_id_that_somebody_else_has_open_is_not_used(
    enter: Enter, model: DemoModel
) -> None:
    alice, mallory = await enter("alice"), await enter("mallory")
    await mallory.ask("hello everybody")
    model.script(Reply("One."), Reply("Mine."), Reply("Two."))
    message = await alice.say("how many?")
    for stream_id in await ids_of(mallory, message, "One."):
        await mallory.me.stream_text(topic="llm-response", stream_id=stream_id)
    await alice.answer_to(await mallory.say("and mine?"))
    await regenerate(alice, message)
    await ids_of(alice, message, "Two.")


async def test_snapshots_of_a_private_answer_share_an_id(enter: Enter, model: DemoModel) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await bob.ask("hello everybody")
    model.script(Reply(tokens=["One. ", "Two. ", "x" * 12_000], token_delay=0.3), Reply("Three."))
    message = await alice.say("between us", scope="private")
    text, last = await private_answer(alice, message)
    await alice.until(
        lambda: [each for each in snapshots(alice) if "finish_reason" in each.attributes]
    )
    segment = str(last["id"])
    found = {
        (each.attributes["lk.segment_id"], each.topic, each.stream_id) for each in snapshots(alice)
    }
    assert found == {
        (part, topic, part if topic == "lk.transcription" else f"{part}:{topic}")
        for part in (segment, f"{segment}.1")
        for topic in REPLY_TOPICS
    }
    assert len(snapshots(alice)) > len(found)
    assert len(text) == 12_010
    await regenerate(alice, message)
    again = await alice.until(lambda: [each for each in snapshots(alice) if each.text == "Three."])
    assert again[0].stream_id == f"{segment}:llm-response"


def snapshots(client: ChatClient) -> list[Answer]:
    return [each for each in client.answers if each.attributes["scope"] == "private"]
