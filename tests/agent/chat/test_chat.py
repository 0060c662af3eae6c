"""The main way: a message in, an answer out, token by token."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from livekit import rtc

from devserver.model import DemoModel, Reply
from tests.agent.chat_client import announced
from tests.agent.conftest import Enter, StartWorker
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest


async def test_an_answer_streams_on_every_reply_topic(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(text="Hello, Alice. This is the demo model."))
    alice = await enter("alice")
    message = await alice.say("hello")
    first = await alice.answer_to(message)
    mirror = await alice.answer_to(message, "lk.transcription")

    assert first.text == mirror.text == "Hello, Alice. This is the demo model."
    assert first.attributes == {
        "in_reply_to": message,
        "in_reply_to_sender": "alice",
        "scope": "room",
        "lk.segment_id": mirror.attributes["lk.segment_id"],
        "lk.transcription_final": "false",
        "position": "3",
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


async def test_a_lone_token_leaves_at_once(enter: Enter, model: DemoModel) -> None:
    gate = asyncio.Event()
    model.script(Reply(tokens=["One ", "two"], after=1, pause=gate))
    alice = await enter("alice")
    message = await alice.say("count")
    begun = await alice.begun_answer_to(message)
    assert begun.text == "One "
    assert begun.trailer is None
    gate.set()
    assert (await alice.answer_to(message)).text == "One two"


async def test_a_burst_leaves_in_few_chunks(enter: Enter, model: DemoModel) -> None:
    tokens = [f"{number} " for number in range(500)]
    model.script(Reply(tokens=tokens, token_delay=0))
    alice = await enter("alice")
    answer = await alice.ask("count to 500")
    assert answer.text == "".join(tokens)
    assert len(answer.chunks) < len(tokens) / 5


@pytest.mark.parametrize("topic", ["lk.chat", "chat"])
async def test_every_chat_topic_is_read(enter: Enter, topic: str) -> None:
    alice = await enter("alice")
    answer = await alice.ask("hello", topic=topic)
    assert answer.finish_reason == "stop"


async def test_messages_queue_and_each_gets_its_answer(enter: Enter, model: DemoModel) -> None:
    gate = asyncio.Event()
    model.script(Reply(tokens=["first ", "answer"], after=1, pause=gate))
    model.script(Reply(text="second answer"), Reply(text="third answer"))
    alice = await enter("alice")
    messages = [await alice.say("one"), await alice.say("two"), await alice.say("three")]
    await alice.begun_answer_to(messages[0])
    gate.set()
    answers = [await alice.answer_to(message) for message in messages]
    assert [answer.text for answer in answers] == [
        "first answer",
        "second answer",
        "third answer",
    ]
    assert [answer.finish_reason for answer in answers] == ["stop"] * 3


async def test_a_new_message_interrupts_only_its_own_sender_and_only_where_set(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(INTERRUPT_ON_MESSAGE="true")
    model.script(Reply(tokens=["a long ", "story"], after=1, pause=asyncio.Event()))
    alice = await enter("alice", worker=worker)
    story = await alice.say("tell me a story")
    await alice.begun_answer_to(story)
    model.script(Reply(text="Stopped."))
    stop = await alice.say("stop")
    interrupted = await alice.answer_to(story)
    assert interrupted.text == "a long "
    assert interrupted.finish_reason == "interrupted"
    assert (await alice.answer_to(stop)).text == "Stopped."


async def test_the_model_is_given_the_conversation(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(text="Blue is nice."))
    alice = await enter("alice")
    await alice.ask("my colour is blue")
    await alice.ask("what is my colour?")
    contents = [message.text for message in model.requests[-1].chat.messages]
    assert contents[-3:] == ["my colour is blue", "Blue is nice.", "what is my colour?"]


async def test_everybody_is_answered_and_the_model_reads_the_authors(
    enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice", name="Alice A.")
    bob = await enter("bob", name="Bob B.")
    await alice.ask("I am first")
    answer = await bob.ask("and I am second")
    assert answer.finish_reason == "stop"
    assert model.requests[-1].chat.messages[-1].text == "Bob B. (bob): and I am second"
    # Everybody in the room reads every answer.
    assert (await alice.answer_to(answer.in_reply_to)).text == answer.text


async def test_the_session_outlives_the_first_person(enter: Enter) -> None:
    alice = await enter("alice")
    bob = await enter("bob")
    await alice.ask("hello")
    await alice.room.disconnect()
    await bob.until(lambda: "alice" not in bob.room.remote_participants)
    assert (await bob.ask("still there?")).finish_reason == "stop"


async def test_agents_are_never_answered(
    enter: Enter,
    join: Join,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    alice = await enter("alice")
    agent_token = room_server.access_token("other-agent", room_name).with_kind("agent").to_jwt()
    other = await join("other-agent", token=agent_token)
    assert other.local_participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
    await other.local_participant.send_text("I am an agent", topic="lk.chat")
    await other.local_participant.publish_data('{"type": "chat", "text": "I am an agent"}')
    await alice.ask("hello")
    assert [request.chat.user_text for request in model.requests] == ["hello"]


async def test_a_message_is_answered_once_in_however_many_forms_it_comes(
    enter: Enter, model: DemoModel
) -> None:
    """As useChat sends it: a stream, and a legacy packet with the same id."""
    alice = await enter("alice")
    message = await alice.say("hello")
    legacy = {"id": message, "timestamp": 1, "message": "hello"}
    await alice.send_packet({**legacy, "ignoreLegacy": True}, topic="lk-chat-topic")
    await alice.send_packet(legacy, topic="lk-chat-topic")
    await alice.send_packet({"type": "chat", "id": message, "text": "hello"})
    await alice.answer_to(message)
    await alice.ask("another one")
    assert [request.chat.user_text for request in model.requests] == ["hello", "another one"]
    assert len(alice.finished(message)) == 1


async def test_the_same_id_from_two_people_is_two_messages(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice")
    bob = await enter("bob")
    await announced(alice, bob)
    for person in (alice, bob):
        await person.send_packet({"type": "chat", "id": "1", "text": "hello"})
    await alice.until(lambda: len(alice.finished("1")) == 2)
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    "packet",
    [
        {"type": "chat", "id": "m1", "text": "hello", "timestamp": 1700000000000},
        {"type": "chat", "id": "m1", "message": "hello", "timestamp": 1700000000000},
        {"type": "chat", "id": "m1", "content": "hello"},
        {"topic": "chat", "payload": {"id": "m1", "text": "hello"}},
        {"topic": "chat", "payload": {"id": "m1", "content": "hello"}},
    ],
)
async def test_packets_are_answered_by_streams_and_by_packets(
    enter: Enter, model: DemoModel, packet: dict[str, object]
) -> None:
    model.script(Reply(text="Hello from a packet."))
    alice = await enter("alice")
    await alice.send_packet(packet)
    answer = await alice.answer_to("m1")
    body = (await alice.until(lambda: [b for _, b in alice.packets if b["type"] == "chat"]))[0]
    assert model.requests[-1].chat.user_text == "hello"
    assert body["text"] == body["content"] == answer.text == "Hello from a packet."
    assert body["senderId"] == "agent"
    assert body["inReplyTo"] == "m1"
    assert body["finishReason"] == "stop"
    assert body["timestamp"] > 1_700_000_000_000


@pytest.mark.parametrize(
    "question",
    [
        {"type": "chat", "id": "m1", "text": "long"},
        {"type": "chat", "id": "m1", "message": "long"},
        {"topic": "chat", "payload": {"id": "m1", "text": "long"}},
    ],
)
async def test_a_long_answer_to_a_packet_comes_in_parts(
    enter: Enter, model: DemoModel, question: dict[str, object]
) -> None:
    text = 'é"\n' * 10_000
    model.script(Reply(tokens=[text]))
    alice = await enter("alice")
    await alice.send_packet(question)
    parts = await alice.until(lambda: _all_parts([b for _, b in alice.packets]))
    assert "".join(part["text"] for part in parts) == text
    assert len({part["id"] for part in parts}) == 1


def _all_parts(bodies: list[dict[str, object]]) -> list[dict[str, str]]:
    parts = [body for body in bodies if body["type"] == "chat"]
    return parts if parts and len(parts) == parts[0]["parts"] else []  # pyright: ignore[reportReturnType]


async def test_a_packet_on_a_chat_topic_may_be_bare_text(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice")
    await alice.send_packet("hello there", topic="chat")
    await alice.until(lambda: [a for a in alice.answers if a.trailer])
    assert model.requests[-1].chat.user_text == "hello there"


async def test_a_legacy_client_is_answered_in_its_own_form(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(text="Hello."))
    alice = await enter("alice")
    await alice.send_packet(
        {"id": "old-1", "timestamp": 1700000000000, "message": "hi"}, topic="lk-chat-topic"
    )
    await alice.answer_to("old-1")
    body = (await alice.until(lambda: [b for t, b in alice.packets if t == "lk-chat-topic"]))[0]
    assert body["message"] == "Hello."
    assert body["ignoreLegacy"] is True


async def test_unicode_survives(enter: Enter, model: DemoModel) -> None:
    text = "שלום 👩‍👩‍👧 \u200f ñ\u0000"
    model.script(Reply(tokens=[text]))
    alice = await enter("alice")
    answer = await alice.ask(text)
    assert model.requests[-1].chat.user_text == text
    assert answer.text == text
    assert answer.trailer is not None
    assert answer.trailer["sha256"] == hashlib.sha256(text.encode()).hexdigest()
