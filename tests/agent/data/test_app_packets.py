"""Packets as apps send them that know nothing of this agent: each is taken as it stands."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from devserver.model import DemoModel
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.conftest import Enter


class ChannelManager:
    """The channel class that many apps have, in Python: handlers by type, envelopes out."""

    def __init__(self, client: ChatClient) -> None:
        self._client = client

    def message(self, kind: str, content: object) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid4()),
            "type": kind,
            "senderId": self._client.me.identity,
            "senderName": self._client.me.name,
            "content": content,
            "timestamp": int(time.time() * 1000),
        }

    async def broadcast(self, kind: str, content: object, reliable: bool = True) -> str:
        message = self.message(kind, content)
        await self._client.me.publish_data(json.dumps(message).encode(), reliable=reliable)
        return message["id"]

    async def send_to(self, identities: list[str], kind: str, content: object) -> str:
        message = self.message(kind, content)
        await self._client.me.publish_data(
            json.dumps(message), reliable=True, destination_identities=identities
        )
        return message["id"]


@pytest.fixture
async def ana(enter: Enter) -> ChatClient:
    return await enter("ana", name="Ana A.")


def answers(client: ChatClient) -> list[dict[str, Any]]:
    """The messages of a listener that looks for `type: "chat"` in every packet."""
    return [body for _, body in client.packets if body.get("type") == "chat"]


@pytest.mark.parametrize(
    "packet",
    [
        {"type": "chat", "message": "Hello everyone!", "timestamp": 1_700_000_000_000},
        {"type": "chat", "text": "Hello everyone!"},
        {"type": "chat", "id": str(uuid.uuid4()), "text": "Hello everyone!", "timestamp": 1.7e12},
        {"type": "chat", "id": "1700000000000", "text": "Hello everyone!"},
        {"topic": "chat", "payload": {"id": "msg-1", "text": "Hello everyone!"}},
        {"topic": "chat", "payload": "Hello everyone!"},
    ],
)
@pytest.mark.parametrize("reliable", [True, False])
async def test_a_chat_packet_is_answered_by_one_that_its_app_can_read(
    ana: ChatClient, model: DemoModel, packet: dict[str, Any], reliable: bool
) -> None:
    await ana.me.publish_data(json.dumps(packet).encode(), reliable=reliable)
    (answer,) = await ana.until(lambda: answers(ana))
    assert model.requests[0].chat.user_text == "Hello everyone!"
    assert (answer["senderId"], answer["senderName"]) == (AGENT, "Agent")
    assert answer["text"] == answer["content"] != ""
    assert answer["id"]
    assert answer["timestamp"] > 1_700_000_000_000
    # An app reads others' text from the field in which it sends its own.
    if "message" in packet:
        assert answer["message"] == answer["text"]
    assert answer.get("topic") == packet.get("topic")
    if isinstance(packet.get("payload"), dict):
        assert answer["payload"] == {"id": answer["id"], "text": answer["text"]}
    elif "payload" in packet:
        assert answer["payload"] == answer["text"]


async def test_a_channel_manager_talks_with_the_agent(
    ana: ChatClient, enter: Enter, model: DemoModel
) -> None:
    user_1 = await enter("user-1")
    channel = ChannelManager(ana)
    asked = await channel.broadcast("chat", "Hello everyone!")
    (answer,) = await ana.until(lambda: answers(ana))
    assert answer["inReplyTo"] == asked

    await channel.send_to(["user-1"], "chat", "Private message")
    await user_1.until(lambda: user_1.received("Private message"))
    to_agent = await channel.send_to([AGENT], "chat", "For the agent")
    await ana.until(lambda: answers(ana)[-1]["inReplyTo"] == to_agent)
    assert [each.chat.user_text for each in model.requests] == ["Hello everyone!", "For the agent"]

    await channel.broadcast("reaction", {"emoji": "👍", "targetMessageId": asked})
    told = await user_1.notice("reactions.changed")
    assert (told["messageId"], told["emoji"], told["reactedBy"]) == (asked, "👍", "ana")
    assert user_1.notices("error") == []
    assert isinstance(json.loads(await ana.call("ping", "{}"))["pong"], int)


async def test_custom_topics(ana: ChatClient) -> None:
    message = {"topic": "chat", "payload": {"id": "msg-123", "text": "Hello"}}
    await ana.send_packet(message)
    await ana.until(lambda: answers(ana))
    reaction = {"topic": "reactions", "payload": {"emoji": "👍", "targetMessageId": "msg-123"}}
    await ana.send_packet(reaction)
    await ana.notice("reactions.changed", messageId="msg-123")
    cursor = {"topic": "cursor", "payload": {"x": 0.25, "y": 0.75}}
    stroke = {"op": "stroke", "id": "s1", "points": [[0, 0], [1, 1]]}
    await ana.send_packet(cursor)
    await ana.send_packet({"topic": "whiteboard", "payload": stroke})
    await ana.send_packet({"topic": "chat", "payload": {"id": "msg-124", "text": "And?"}})
    await ana.until(lambda: len(answers(ana)) == 2)
    assert '"x":0.25' in await ana.call("getCursors")
    assert '"id":"s1"' in await ana.call("getWhiteboard")
    assert ana.notices("error") == []
