"""Pages of the history, and whole messages of it, as RPC clients read them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from livekit import rtc

from devserver.model import DemoModel, Reply
from tests.agent.chat.test_history import get_history, refused
from tests.agent.chat_client import AGENT, ChatClient, announced
from tests.agent.conftest import Enter
from tests.agent.replies.test_private import MARK, private_answer, told
from tests.room_server import RoomServerUnderTest


async def test_pages_show_what_was_said_byte_for_byte(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice", name="Alice A.")
    texts = [
        "plain",
        "'; DROP TABLE history_message; --",
        '👩‍👩‍👧 \u202eright to left\u202c \x00 \\ "',
    ]
    model.script(*(Reply(text=f"You said {text}") for text in texts))
    answer, *_ = [await alice.ask(text) for text in texts][::-1]
    pages = [await get_history(alice, limit=4)]
    while "nextBefore" in pages[0]:
        pages.insert(0, await get_history(alice, limit=4, before=pages[0]["nextBefore"]))
    messages = [message for page in pages for message in page["messages"]]
    assert [len(page["messages"]) for page in pages] == [2, 4]
    assert [m["text"] for m in messages if m["role"] == "user"] == texts
    assert [m["text"] for m in messages[1::2]] == [f"You said {text}" for text in texts]
    question, reply = messages[-2:]
    assert question == {
        "id": answer.in_reply_to,
        "thread": "room",
        "role": "user",
        "senderId": "alice",
        "senderName": "Alice A.",
        "text": texts[-1],
        "timestamp": question["timestamp"],
        "position": int(answer.attributes["position"]) - 1,
    }
    assert reply["id"] == answer.attributes["lk.segment_id"]
    assert (reply["senderId"], reply["finishReason"]) == (AGENT, "stop")
    assert (reply["inReplyTo"], reply["inReplyToSenderId"]) == (answer.in_reply_to, "alice")


async def test_long_messages_make_short_pages(enter: Enter) -> None:
    alice = await enter("alice")
    whole = "é" * 30_000
    for text in ("x" * 6_000, "y" * 6_000, whole):
        await alice.ask(text, scope="room")
    seen: list[dict[str, Any]] = []
    before: str | None = None
    while True:
        page = await get_history(alice, **({"before": before} if before else {}))
        assert len(json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()) <= 14_000
        seen[:0] = page["messages"]
        before = page.get("nextBefore")
        if before is None:
            break
    questions = [message for message in seen if message["role"] == "user"]
    assert [len(message["text"]) for message in questions[:2]] == [6_000, 6_000]
    assert whole.startswith(questions[2]["text"])
    assert questions[2]["truncated"] is True
    assert questions[2]["textLength"] == 60_000


async def get_whole(client: ChatClient, part: dict[str, Any]) -> str:
    """The whole text of a message, from its beginning on a page."""
    text = part["text"]
    while "nextOffset" in part:
        arguments = {
            "messageId": part["id"],
            "thread": part["thread"],
            "senderId": part["senderId"],
            "offset": part["nextOffset"],
        }
        part = json.loads(await client.call("getMessage", json.dumps(arguments)))
        assert len(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode()) <= 14_000
        assert part["offset"] == arguments["offset"]
        text += part["text"]
    assert len(text.encode()) == part.get("textLength", len(text.encode()))
    return text


@pytest.mark.parametrize("scope", ["room", "private"])
async def test_a_text_too_long_for_a_page_is_read_in_parts(
    enter: Enter, model: DemoModel, scope: str
) -> None:
    alice = await enter("alice")
    question = '\u202e👩‍👩‍👧 \x00\\" é' * 2_300
    answer = "".join(f"{number} é😀\n" for number in range(9_000))
    model.script(Reply(tokens=[answer[i : i + 997] for i in range(0, len(answer), 997)]))
    message = await alice.say(question, scope=scope)
    await alice.notice("answer.finished", inReplyTo=message)
    thread = "room" if scope == "room" else "private:alice"
    page = await get_history(alice, thread=thread)
    (cut_answer,) = page["messages"]
    assert await get_whole(alice, cut_answer) == answer
    earlier = await get_history(alice, thread=thread, before=page["nextBefore"])
    assert await get_whole(alice, earlier["messages"][0]) == question


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"messageId": "p-1"}, 400),
        ({"messageId": "p-1", "senderId": "alice", "offset": 1}, 400),
        ({"messageId": "p-1", "senderId": "alice", "offset": 3}, 400),
        ({"messageId": "p-1", "senderId": "alice", "offset": -1}, 400),
        ({"messageId": "p-1", "senderId": "alice", "offset": "1"}, 400),
        ({"messageId": "p-1", "senderId": "carol"}, 404),
        ({"messageId": "'; DROP TABLE history_message; --"}, 404),
        ({"messageId": "x" * 10_000}, 400),
        ({"messageId": "p-1", "thread": "private:bob"}, 404),
        ({"messageId": "p-2"}, 404),
    ],
)
async def test_bad_and_forbidden_messages(
    enter: Enter, arguments: dict[str, object], code: int
) -> None:
    alice, bob = await enter("alice"), await enter("bob")
    await announced(alice, bob)
    packet = {"type": "chat", "id": "p-1", "text": "é"}
    for client in (alice, bob):
        await client.send_packet(packet)
    await bob.send_packet({"type": "chat", "id": "p-2", "text": "psst", "private": True})
    await bob.notice("answer.finished", inReplyTo="p-2")
    await bob.until(lambda: len(bob.notices("answer.finished", inReplyTo="p-1")) == 2)
    with pytest.raises(rtc.RpcError) as caught:
        await alice.call("getMessage", json.dumps(arguments))
    assert caught.value.code == code
    good = {"messageId": "p-1", "senderId": "alice"}
    assert json.loads(await alice.call("getMessage", json.dumps(good)))["text"] == "é"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"limit": 0}, 400),
        ({"limit": "5"}, 400),
        ({"before": "made up"}, 400),
        ({"before": "x" * 10_000}, 400),
        ({"thread": "'; DROP TABLE history_thread; --"}, 400),
        ({"thread": "private:" + "x" * 10_000}, 400),
        ({"thread": "private:bob"}, 404),
        ({"room": "another"}, 400),
    ],
)
async def test_bad_and_forbidden_pages(
    enter: Enter, arguments: dict[str, object], code: int
) -> None:
    alice = await enter("alice")
    assert (await refused(alice, **arguments)).code == code
    assert await get_history(alice) == {"messages": []}


@pytest.mark.parametrize("client_protocol", [1, 2])
async def test_a_private_page_reaches_its_owner_alone(
    enter: Enter,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
    client_protocol: int,
) -> None:
    embedded = room_server.embedded
    if embedded is None:
        pytest.skip("a real server keeps no record of what it forwards")
    alice, bob = await enter("alice"), await enter("bob")
    await bob.ask("hello everybody")
    embedded.rooms[room_name].participants["alice"].info.client_protocol = client_protocol
    model.script(Reply(text=f"{MARK} " * 2_000))
    await private_answer(alice, await alice.say("between us", scope="private"))
    page = await get_history(alice, thread="private:alice")
    assert [each["role"] for each in page["messages"]] == ["user", "assistant"]
    assert page["messages"][1]["text"].startswith(MARK)
    assert (await get_history(bob))["messages"][0]["text"] == "hello everybody"
    assert told(embedded, room_name, MARK) == {"alice"}
