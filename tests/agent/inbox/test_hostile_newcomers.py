"""Packets of a participant who leaves before being announced are nobody else's."""

from __future__ import annotations

import asyncio
import json

from tests.agent.conftest import Enter
from tests.agent.files.test_files_in import history
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest


async def test_packets_of_a_departed_sender_are_not_attributed_to_a_newcomer(
    enter: Enter, join: Join
) -> None:
    alice = await enter("alice")
    for number in range(2):
        mallory, _ = await asyncio.gather(join(f"mallory-{number}"), join(f"victim-{number}"))
        packet = json.dumps({"type": "chat", "text": f"forged {number}"})
        for _ in range(10):  # With answers, they fit into a page of the history.
            await mallory.local_participant.publish_data(packet)
        await mallory.disconnect()
    assert (await alice.ask("hello")).finish_reason == "stop"
    senders = {each["senderId"] for each in await history(alice) if each["role"] == "user"}
    assert "alice" in senders
    assert not {each for each in senders if each.startswith("victim")}


async def test_a_message_by_an_agent_in_a_participants_name_is_ignored(
    enter: Enter, join: Join, room_server: RoomServerUnderTest, room_name: str
) -> None:
    alice = await enter("alice")
    token = room_server.access_token("scribe", room_name).with_kind("agent")
    scribe = (await join("scribe", token=token.to_jwt())).local_participant
    writer = await scribe.stream_text(topic="lk.chat", sender_identity="alice")
    await writer.write("I resign")
    await writer.aclose()
    assert (await alice.ask("hello")).finish_reason == "stop"
    said = [each["text"] for each in await history(alice) if each["role"] == "user"]
    assert said == ["hello"]
    assert alice.notices("error") == []
