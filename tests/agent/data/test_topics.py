"""Reactions and cursors, over a real room."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from devserver.model import DemoModel
from tests.agent.chat_client import AGENT, ChatClient, announced
from tests.agent.conftest import Enter


async def history(client: ChatClient, **arguments: object) -> list[dict[str, Any]]:
    return json.loads(await client.call("getHistory", json.dumps(arguments)))["messages"]


async def react(client: ChatClient, emoji: str, target: str, **more: object) -> None:
    content = {"emoji": emoji, "targetMessageId": target, **more}
    await client.send_packet({"topic": "reactions", "payload": content})


async def cursors(client: ChatClient) -> list[dict[str, Any]]:
    return json.loads(await client.call("getCursors"))["cursors"]


SENSELESS_REACTIONS: list[tuple[object, int]] = [
    ({"emoji": "👍", "targetMessageId": "no such"}, 404),
    ({"emoji": "👍"}, 400),
    ({"targetMessageId": "m-1"}, 400),
    ({"emoji": "", "targetMessageId": "m-1"}, 400),
    ({"emoji": "yes", "targetMessageId": "m-1"}, 400),
    ({"emoji": "👍👍", "targetMessageId": "m-1"}, 400),
    ({"emoji": 5, "targetMessageId": "m-1"}, 400),
    ({"emoji": "👍", "targetMessageId": 5}, 400),
    ({"emoji": "👍", "targetMessageId": "i" * 257}, 400),
    ({"emoji": "👍", "targetMessageId": "\ud83d"}, 400),
    ({"emoji": "👍", "targetMessageId": "'; DROP TABLE history_message; --"}, 404),
    ({"emoji": "👍", "targetMessageId": "m-1", "remove": "yes"}, 400),
    ("👍", 400),
]
SENSELESS_CURSORS: list[object] = [
    {"x": 1},
    {"x": "1", "y": 2},
    {"x": True, "y": 2},
    {"x": float("nan"), "y": 2},
    {"x": 1e300, "y": 2},
    {"x": 1, "y": 2, "label": "l" * 101},
    [1, 2],
]


class TestReactions:
    async def test_are_stored_counted_and_shown_to_the_room(self, enter: Enter) -> None:
        alice, bob = await enter("alice"), await enter("bob")
        answer = await alice.ask("hello")
        segment = answer.attributes["lk.segment_id"]
        await announced(alice, bob)

        await react(bob, "👍", segment)
        await alice.notice("reactions.changed", reactedBy="bob")
        # As a DataChannelManager sends it, and as flat as it can be.
        content = {"emoji": "👍", "targetMessageId": segment}
        await alice.send_packet({"id": "r-1", "type": "reaction", "content": content})
        await alice.notice("reactions.changed", reactedBy="alice")
        await alice.send_packet({"emoji": "🎉", "targetMessageId": segment}, "reactions")
        await bob.until(lambda: len(bob.notices("reactions.changed")) == 3)

        kept = next(each for each in await history(alice) if each["id"] == segment)
        assert kept["reactions"] == [
            {"emoji": "👍", "count": 2, "identities": ["bob", "alice"]},
            {"emoji": "🎉", "count": 1, "identities": ["alice"]},
        ]
        told = bob.notices("reactions.changed")[-1]
        assert told["messageId"] == segment
        assert (told["messageSenderId"], told["thread"]) == (AGENT, "room")
        assert (told["emoji"], told["reactedBy"], told["removed"]) == ("🎉", "alice", False)
        assert told["reactions"] == [{"emoji": "👍", "count": 2}, {"emoji": "🎉", "count": 1}]

    async def test_are_taken_back(self, enter: Enter) -> None:
        alice = await enter("alice")
        message = (await alice.ask("hello")).in_reply_to
        for remove in (False, False, True, True):
            await react(alice, "👍", message, remove=remove)
        await alice.notice("reactions.changed", removed=True)
        await react(alice, "🎉", message)
        await alice.notice("reactions.changed", emoji="🎉")
        assert len(alice.notices("reactions.changed")) == 3, "the second of the same says nothing"
        kept = next(each for each in await history(alice) if each["id"] == message)
        assert [each["emoji"] for each in kept["reactions"]] == ["🎉"]

    async def test_to_answers_are_feedback_for_the_model(
        self, enter: Enter, model: DemoModel
    ) -> None:
        alice, bob = await enter("alice", name="Alice A."), await enter("bob")
        answer = await alice.ask("hello")
        await announced(alice, bob)
        await react(alice, "👎", answer.attributes["lk.segment_id"])
        await react(alice, "🤔", answer.in_reply_to)
        await alice.notice("reactions.changed", emoji="🤔")
        await bob.ask("and now?")
        texts = [message.text for message in model.requests[-1].chat.messages]
        told = [text for text in texts if "reacted" in text]
        assert len(told) == 1
        assert told[0].startswith("[Alice A. (alice) reacted with 👎 to your answer that begins")
        assert texts[-1] == "bob: and now?"

    async def test_to_private_messages_are_their_owners_alone(self, enter: Enter) -> None:
        alice, eve = await enter("alice"), await enter("eve")
        await announced(alice, eve)
        private = await alice.say("between us", scope="private")
        segment = (await alice.notice("answer.finished", inReplyTo=private))["segmentId"]
        await react(eve, "👀", segment)
        assert (await eve.notice("error"))["code"] == 404
        await react(alice, "❤️", segment)
        told = await alice.notice("reactions.changed")
        assert told["thread"] == "private:alice"
        await eve.ask("still there?")
        assert eve.notices("reactions.changed") == []

    async def test_that_make_no_sense(self, enter: Enter) -> None:
        alice = await enter("alice")
        for number, (content, code) in enumerate(SENSELESS_REACTIONS):
            packet = {"id": f"r-{number}", "type": "reaction", "content": content}
            await alice.send_packet(json.dumps(packet))
            notice = await alice.notice("error", messageIds=[f"r-{number}"])
            assert notice["code"] == code, content
            assert len(notice["text"]) <= 500

    async def test_are_bounded_in_kind(self, enter: Enter) -> None:
        alice = await enter("alice")
        message = (await alice.ask("hello")).in_reply_to
        for number in range(21):
            await react(alice, chr(0x1F600 + number), message)
        assert (await alice.notice("error"))["code"] == 413
        kept = next(each for each in await history(alice) if each["id"] == message)
        assert len(kept["reactions"]) == 20

    async def test_to_an_id_that_two_people_gave(self, enter: Enter) -> None:
        alice, bob = await enter("alice"), await enter("bob")
        await announced(alice, bob)
        for person in (alice, bob):
            await person.send_packet({"type": "chat", "id": "m-1", "text": "hello"})
            await person.answer_to("m-1")
        await react(alice, "👍", "m-1")
        assert (await alice.notice("error"))["code"] == 400
        await react(alice, "👍", "m-1", targetSenderId="bob")
        assert (await alice.notice("reactions.changed"))["messageSenderId"] == "bob"


class TestCursors:
    async def test_the_newest_of_each_until_they_leave(
        self, enter: Enter, model: DemoModel
    ) -> None:
        alice, bob = await enter("alice"), await enter("bob", name="Bob B.")
        async with asyncio.timeout(20):
            # Lossy packets of somebody who is not announced yet are ignored.
            while not await cursors(alice):
                await bob.me.publish_data('{"x": 0, "y": 0}', topic="cursor", reliable=False)
        for number in range(5):
            await bob.send_packet({"topic": "cursor", "payload": {"x": number, "y": 0.5}})
        async with asyncio.timeout(20):
            while [each["x"] for each in await cursors(bob)] != [4]:
                pass
        await alice.send_packet({"type": "cursor", "x": 7, "y": -1, "label": "here"})
        async with asyncio.timeout(20):
            while [each["x"] for each in await cursors(bob)] != [7, 4]:
                pass
        first, second = await cursors(bob)
        assert first | {"secondsAgo": 0} == {
            "identity": "alice", "name": "", "x": 7, "y": -1, "label": "here", "secondsAgo": 0
        }  # fmt: skip
        assert second["name"] == "Bob B."
        answer = await alice.ask("call getCursors {}")
        assert '"label":"here"' in answer.text
        await bob.room.disconnect()
        async with asyncio.timeout(20):
            while len(await cursors(alice)) != 1:
                pass

    async def test_that_make_no_sense(self, enter: Enter) -> None:
        alice = await enter("alice")
        for number, content in enumerate(SENSELESS_CURSORS, start=1):
            await alice.send_packet(json.dumps(content), "cursor")
            await alice.until(lambda number=number: len(alice.notices("error")) == number)
            assert alice.notices("error")[-1]["code"] == 400, content
        assert await cursors(alice) == []

    async def test_a_flood_is_thinned_out_and_its_last_counts(self, enter: Enter) -> None:
        alice, bob = await enter("alice"), await enter("bob")
        await announced(alice, bob)
        for start in range(0, 2_000, 50):
            await asyncio.gather(
                *(
                    bob.me.publish_data(json.dumps({"x": start + n, "y": 0}), topic="cursor")
                    for n in range(50)
                )
            )
        await bob.me.publish_data(json.dumps({"x": -1, "y": 0}), topic="cursor")
        async with asyncio.timeout(20):
            while [each["x"] for each in await cursors(alice)] != [-1]:
                pass
        assert len(bob.notices("error", code=429)) == 1
        assert (await alice.ask("still there?")).finish_reason == "stop"
        assert alice.notices("error") == []
