"""Bad input: a clear error to its sender, nothing to others, and the agent goes on."""

from __future__ import annotations

import asyncio

import pytest

from devserver.model import DemoModel
from tests.agent.conftest import Enter, StartWorker


@pytest.mark.parametrize(
    ("packet", "topic", "code"),
    [
        ('{"type": "chat"', "", 400),
        ("not JSON at all", "", 400),
        ("[1, 2]", "", 400),
        ("[" * 10_000, "", 400),
        (b"\xff\xfe{}", "", 400),
        (b"\xff\xfe", "chat", 400),
        ("{}", "", 400),
        ({"type": 5}, "", 400),
        ({"type": "chat"}, "", 400),
        ({"type": "chat", "text": 5}, "", 400),
        ({"type": "chat", "text": "   "}, "", 400),
        ({"type": "chat", "text": "hello", "id": {"a": 1}}, "", 400),
        ({"type": "chat", "text": "hello", "id": "i" * 10_000}, "", 400),
        ({"topic": "chat", "payload": 5}, "", 400),
        ({"topic": "chat", "payload": {}}, "", 400),
        ("{}", "lk-chat-topic", 400),
        ({"type": "no-such-type"}, "", 404),
        ({"topic": "no-such-topic", "payload": {}}, "", 404),
        ({"type": "chat", "text": "hello"}, "no-such-topic", 404),
        ({"type": "system", "event": "error", "senderId": "agent"}, "", 403),
    ],
)
async def test_a_bad_packet(
    enter: Enter, packet: bytes | str | dict[str, object], topic: str, code: int
) -> None:
    alice = await enter("alice")
    bob = await enter("bob")
    await bob.ask("hello")  # Everybody is announced by now.
    await alice.send_packet(packet, topic)
    notice = await alice.notice("error")
    assert notice["code"] == code
    assert notice["text"]
    assert notice["type"] == "system"
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


async def test_an_unknown_topic_is_told_once(enter: Enter) -> None:
    alice = await enter("alice")
    for number in range(20):
        await alice.send_packet({"type": "cursors", "x": number})
    await alice.send_packet("{")
    await alice.notice("error", code=400)
    assert len(alice.notices("error", code=404)) == 1


async def test_a_thousand_messages_in_a_second(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    """What is accepted is answered, all else is refused; the other person notices nothing."""
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
