"""What the agent tells people in `system` packets, when there is too much of it."""

from __future__ import annotations

import pytest

from agent.wire.notices import MAX_WAITING, Notices
from tests.agent.chat_client import ChatClient
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest


async def test_a_flood_for_one_costs_nobody_else_a_notice(
    join: Join, room_server: RoomServerUnderTest, room_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    bob, eve = ChatClient(), ChatClient()
    for identity, client in {"bob": bob, "eve": eve}.items():
        await client.room.connect(room_server.url, room_server.token(identity, room_name))
    notices = Notices(await join("agent"))
    notices.tell(None, "answer.finished", "")
    notices.tell("bob", "file.received", "")
    for number in range(2 * MAX_WAITING):
        notices.tell("eve", "file.refused", "Too many files at once.", name=str(number))
    notices.start()
    await bob.notice("answer.finished")
    await bob.notice("file.received")
    await eve.notice("file.refused", name=str(2 * MAX_WAITING - 1))
    assert len(eve.notices("file.refused")) == MAX_WAITING - 2
    assert len([each for each in caplog.messages if "dropped" in each]) == 1
    await notices.aclose()
    for client in (bob, eve):
        await client.room.disconnect()
