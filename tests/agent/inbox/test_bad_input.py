"""Bad input: a clear error to its sender, nothing to others, and the agent goes on."""

from __future__ import annotations

import asyncio
import json

import pytest

from devserver.model import DemoModel
from tests.agent.conftest import Enter, StartWorker
from tests.agent.raw_stream import send_raw_text

BAD_PACKETS: list[tuple[bytes | str | dict[str, object], str, int]] = [
    ('{"type": "chat"', "", 400),
    ('{"topic": "reactions", "payload": {}', "", 400),
    (b"\xff\xfe", "chat", 400),
    ("{}", "chat", 400),
    ('{"type":"chat","id":"\\ud83d","text":"hi"}', "", 400),
    ('{"type":"chat","id":"\\ud83d","text":"hi","private":true}', "", 400),
    ('{"type":"chat","id":"m","text":"cut \\ud83d"}', "", 400),
    ('{"type":"chat","\\udc00":1,"id":"m","text":"hi"}', "", 400),
    ('{"topic":"chat","payload":{"id":"\\udc00","text":"hi"}}', "", 400),
    ('{"type":"cursor","id":"\\ud83d","x":1,"y":2}', "", 400),
    ('{"id":"\\ud83d","x":1,"y":2}', "cursor", 400),
    ('{"type":"reactions","id":"\\ud83d"}', "", 400),
    ('{"op":"clear","id":"\\ud83d"}', "whiteboard", 400),
    ('{"id":"\\ud83d","message":"hi"}', "lk-chat-topic", 400),
    ({"type": "chat"}, "", 400),
    ({"type": "chat", "text": 5}, "", 400),
    ({"type": "chat", "text": "   "}, "", 400),
    ({"type": "chat", "text": "hello", "id": {"a": 1}}, "", 400),
    ({"type": "chat", "text": "hello", "id": "i" * 10_000}, "", 400),
    ({"topic": "chat", "payload": 5}, "", 400),
    ({"topic": "chat", "payload": {}}, "", 400),
    ("{}", "lk-chat-topic", 400),
    ({"type": "system", "event": "error", "senderId": "agent"}, "", 403),
]


async def test_bad_packets(enter: Enter) -> None:
    alice = await enter("alice")
    bob = await enter("bob")
    await bob.ask("hello")  # Everybody is announced by now.
    for number, (packet, topic, code) in enumerate(BAD_PACKETS, start=1):
        await alice.send_packet(packet, topic)
        await alice.until(lambda number=number: len(alice.notices("error")) == number)
        notice = alice.notices("error")[-1]
        assert (notice["code"], notice["type"]) == (code, "system"), packet
        assert notice["text"], packet
    assert (await alice.ask("still there?")).finish_reason == "stop"
    assert bob.notices("error") == []


async def test_an_empty_message_and_a_huge_one(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice")
    empty = await alice.say(" \n ")
    huge = await alice.say("x" * 65_537)
    full = await alice.say("x" * 65_536)
    assert (await alice.notice("error", code=400))["messageIds"] == [empty]
    assert (await alice.notice("error", code=413))["messageIds"] == [huge]
    assert (await alice.answer_to(full)).finish_reason == "stop"
    assert len(model.requests) == 1


async def test_a_huge_packet_in_the_limit_of_the_sdk(enter: Enter) -> None:
    alice = await enter("alice")
    await alice.send_packet({"type": "chat", "id": "m1", "text": "x" * 14_000})
    assert (await alice.answer_to("m1")).finish_reason == "stop"


async def test_a_stream_that_never_ends_is_given_up(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(STREAM_TIMEOUT="2")
    alice = await enter("alice", worker=worker)
    writer = await alice.me.stream_text(topic="lk.chat")
    await writer.write("and then")
    notice = await alice.notice("error", code=408)
    assert notice["messageIds"] == [writer.info.stream_id]
    await writer.aclose()
    assert (await alice.ask("hello")).finish_reason == "stop"


async def test_a_stream_that_goes_on_for_ever_is_cut(enter: Enter, model: DemoModel) -> None:
    alice = await enter("alice")
    writer = await alice.me.stream_text(topic="lk.chat")
    for _ in range(10):
        await writer.write("x" * 10_000)
    notice = await alice.notice("error", code=413)
    assert notice["messageIds"] == [writer.info.stream_id]
    await writer.aclose()
    assert (await alice.ask("hello")).finish_reason == "stop"
    assert len(model.requests) == 1


PACKETS_OF_APPS: list[tuple[bytes | str, str]] = [
    ('{"type":"my-app","x":1}', ""),
    ('{"topic":"my-app","payload":{}}', ""),
    ('{"type":5}', ""),
    ("{}", ""),
    ("[1, 2]", ""),
    ("[" * 10_000, ""),
    ("not JSON at all", ""),
    ('{"type":"my-app"}\n{"type":"my-app"}', ""),
    ('{"type":"my-app","id":"\\ud83d"}', ""),
    (b"\x08\x96\x01\xff", ""),
    (b"\x08\x96\x01\xff", "my-app"),
    ('{"x":1}', "my-app"),
    ('{"type":"chat","text":"hello"}', "my-app"),
    ('{"type":"typing","text":"hello"}', "chat"),
    ("", ""),
]


async def test_an_apps_own_packets_cause_no_error(
    enter: Enter, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await enter("alice")
    caplog.set_level("DEBUG", logger="agent.data.data_channel")
    for number, (packet, topic) in enumerate(PACKETS_OF_APPS, start=1):
        await alice.send_packet(packet, topic)
        await alice.send_packet({"type": "system"})
        await alice.until(lambda number=number: len(alice.notices("error")) >= number)
        assert len(alice.notices("error", code=403)) == len(alice.notices("error")) == number, (
            packet
        )
        assert caplog.text.count("ignoring a packet") == number, packet


async def test_a_byte_order_mark_before_json(enter: Enter) -> None:
    alice = await enter("alice")
    for topic in ("", "chat", "lk-chat-topic"):
        body = json.dumps({"type": "chat", "id": f"m1 {topic}", "text": "hello"})
        await alice.send_packet(b"\xef\xbb\xbf" + body.encode(), topic)
        assert (await alice.answer_to(f"m1 {topic}")).finish_reason == "stop"
    assert alice.notices("error") == []


async def test_names_that_an_app_leaves_empty_do_not_count(enter: Enter) -> None:
    alice = await enter("alice")
    await alice.send_packet({"type": "chat", "topic": None, "id": "m1", "text": "hello"})
    await alice.send_packet({"type": 1, "topic": "", "id": "m2", "text": "hello"}, "chat")
    assert (await alice.answer_to("m1")).finish_reason == "stop"
    assert (await alice.answer_to("m2")).finish_reason == "stop"


async def test_a_stream_of_another_size_than_it_declared(enter: Enter) -> None:
    """As a client sends it that counts JavaScript's characters, or anything but bytes of UTF-8."""
    alice = await enter("alice")
    for total_size in (6, 11, 20):
        refused = await send_raw_text(alice.room, ["😀😀😀".encode()], total_size=total_size)
        assert (await alice.notice("error", messageIds=[refused]))["code"] == 400
    taken = await send_raw_text(alice.room, ["😀😀😀".encode()], total_size=12)
    assert (await alice.answer_to(taken)).finish_reason == "stop"


async def test_a_stream_that_is_no_utf_8(enter: Enter) -> None:
    alice = await enter("alice")
    refused = await send_raw_text(alice.room, [b"caf\xe9 and more"])
    assert (await alice.notice("error", code=400))["messageIds"] == [refused]


async def test_a_stream_that_its_sender_gives_up_is_no_error(
    enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice")
    writer = await alice.me.stream_text(topic="lk.chat")
    await writer.write("I mean")
    await writer.aclose(reason="never mind")
    assert (await alice.ask("hello")).finish_reason == "stop"
    assert alice.notices("error") == []
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("ids", "sent"),
    [
        ([f"{number:03}" + "y" * 247 for number in range(65)], "text"),
        ([chr(0x1F600 + number) * 250 for number in range(20)], "text"),
        ([chr(number) * 250 for number in range(1, 21)], "text"),
        ([f"{number:03}" + "y" * 247 for number in range(65)], "stream"),
    ],
    ids=["many", "emoji", "control characters", "streams"],
)
async def test_refusals_with_long_ids_come_in_several_packets(
    enter: Enter, ids: list[str], sent: str
) -> None:
    alice = await enter("alice")
    bob = await enter("bob")
    for each in ids:
        if sent == "stream":
            writer = await alice.me.stream_text(topic="lk.chat", stream_id=each)
            await writer.aclose()
        else:
            await alice.send_packet({"type": "chat", "id": each})

    def refused() -> list[str]:
        return [each for n in alice.notices("error", code=400) for each in n["messageIds"]]

    await alice.until(lambda: len(refused()) >= len(ids))
    assert sorted(refused()) == sorted(ids)
    assert len(alice.notices("error")) < len(ids)
    answered = await bob.ask("hello")
    await alice.notice("answer.finished", inReplyTo=answered.in_reply_to)
    assert bob.notices("error") == []


async def test_a_thousand_messages_in_a_second(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    """Accepted input is answered, all else is refused; the other person notices nothing."""
    worker = await start_worker(MAX_PENDING_MESSAGES="20")
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    await bob.ask("hello")
    sent = [f"m{number}" for number in range(1000)]
    # So many at a time: what a call costs the SDK grows with the calls that are under way.
    for start in range(0, 1000, 50):
        await asyncio.gather(
            *(
                alice.send_packet({"type": "chat", "id": each, "text": f"flood {each}"})
                for each in sent[start : start + 50]
            )
        )

    def refused() -> set[str]:
        notices = alice.notices("error", code=429)
        return {each for notice in notices for each in notice.get("messageIds", [])}

    def answered() -> set[str]:
        return alice.answered().intersection(sent)

    await alice.until(lambda: len(refused()) + len(answered()) >= 1000)
    assert refused().isdisjoint(answered())
    assert refused() | answered() == set(sent)
    assert len(answered()) >= 20
    assert len(alice.notices("error")) * 20 < len(refused()), "a flood is answered by a few packets"
    assert bob.notices("error") == []
    assert (await bob.ask("still there?")).finish_reason == "stop"
    # Not the request for a summary, which the conversation may be long enough for.
    asked = [t for each in model.requests if (t := each.chat.user_text).startswith("alice: flood")]
    assert len(asked) == len(answered()), "each accepted message is answered exactly once"
