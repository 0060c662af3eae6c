"""The agent's `system` packets, when there are too many of them."""

from __future__ import annotations

from typing import Any

import pytest

from agent.wire.envelope import MAX_PACKET_BYTES, encode
from agent.wire.notices import MAX_WAITING, Notices
from agent.wire.refusal import Refusal
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
    assert len([each for each in caplog.messages if "dropping" in each]) == 1
    await notices.aclose()
    for client in (bob, eve):
        await client.room.disconnect()


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("half of a \ud83d", {}),
        ("", {"name": "half of a \ud83d"}),
        ("", {"name": object()}),
        ("", {"newText": "x" * 20_000}),
    ],
)
async def test_a_notice_that_cannot_be_sent_holds_up_no_other(
    join: Join,
    room_server: RoomServerUnderTest,
    room_name: str,
    caplog: pytest.LogCaptureFixture,
    text: str,
    fields: dict[str, Any],
) -> None:
    bob = ChatClient()
    await bob.room.connect(room_server.url, room_server.token("bob", room_name))
    notices = Notices(await join("agent"))
    notices.start()
    notices.tell("bob", "broken", text, **fields)
    notices.refuse("bob", Refusal(400, "No."), "half of an id: \ud83d")
    notices.tell("bob", "file.received", "")
    await bob.notice("file.received")
    assert [each for each in caplog.messages if "not sent" in each] == [
        caplog.messages[0],
        "notice 'error' not sent: UnicodeEncodeError",
    ]
    assert "half of" not in caplog.text
    await notices.aclose()


async def test_packets_are_no_larger_than_they_may_be(
    join: Join, room_server: RoomServerUnderTest, room_name: str
) -> None:
    bob = ChatClient()
    await bob.room.connect(room_server.url, room_server.token("bob", room_name))
    notices = Notices(await join("agent"))
    ids = [f"{number}" + '\x01é😀"' * 50 for number in range(200)]
    for each in ids:
        notices.refuse("bob", Refusal(400, "x" * 100_000), each)
    notices.start()

    def told() -> list[str]:
        return [each for notice in bob.notices("error") for each in notice["messageIds"]]

    await bob.until(lambda: len(told()) >= len(ids))
    assert told() == ids
    assert max(len(encode(each)) for each in bob.notices("error")) <= MAX_PACKET_BYTES
    await notices.aclose()


async def test_the_task_that_sends_is_restarted(
    join: Join,
    room_server: RoomServerUnderTest,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bob = ChatClient()
    await bob.room.connect(room_server.url, room_server.token("bob", room_name))
    notices = Notices(await join("agent"))
    with monkeypatch.context() as patch:
        patch.delattr(Notices, "_until_due")
        notices.tell("bob", "file.received", "")
        notices.start()
        await bob.notice("file.received")
    notices.tell("bob", "file.refused", "")
    await bob.notice("file.refused")
    assert "the task 'notices' failed, restarting in" in caplog.text
    await notices.aclose()
