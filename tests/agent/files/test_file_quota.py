"""Quotas of a room's and a participant's files, for all processes together."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from agent.files import file_quota
from agent.files.file_quota import FileQuota
from agent.history.errors import UnavailableError
from agent.wire.refusal import Refusal
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import Enter, StartWorker
from tests.agent.files.test_files_in import send
from tests.agent.files.test_files_out import make_file


def quota(stored: dict[str, int], room: int = 0, participant: int = 0) -> FileQuota:
    async def read() -> Mapping[str, int]:
        return stored

    return FileQuota(read, agent="agent", room_bytes=room, participant_bytes=participant)


async def refused(quota: FileQuota, identity: str, size: int) -> str:
    with pytest.raises(Refusal) as refusal:
        await quota.open(identity, size)
    assert refusal.value.code == 507
    return refusal.value.sentence


async def test_stored_files_and_files_in_transit_count() -> None:
    counted = quota({"ann": 60, "agent": 10}, room=100)
    use = await counted.open("bob", 25)
    use.take(25)
    assert "this room" in await refused(counted, "ann", 6)
    with pytest.raises(Refusal):
        use.take(6)
    use.close()
    kept = await counted.open("ann", 30)
    kept.take(30)
    kept.keep()
    kept.close()
    await refused(counted, "ann", 1)


async def test_each_participant_has_a_part_of_it_and_the_agent_what_the_room_has() -> None:
    counted = quota({"ann": 10, "agent": 50}, room=100, participant=20)
    assert "Your space" in await refused(counted, "ann", 11)
    (await counted.open("bob", 20)).close()
    (await counted.open("agent", 40)).close()
    await refused(counted, "agent", 41)


async def test_deleting_frees_space(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = {"ann": 100}
    counted = quota(stored, room=100)
    await refused(counted, "ann", 1)
    stored.clear()
    await refused(counted, "ann", 1)  # Not asked for each refusal.
    monkeypatch.setattr(file_quota, "READ_AGAIN_AFTER", 0.0)
    (await counted.open("ann", 1)).close()


async def test_files_are_taken_while_the_database_is_away() -> None:
    async def read() -> Mapping[str, int]:
        raise UnavailableError("away")

    counted = FileQuota(read, agent="agent", room_bytes=100, participant_bytes=0)
    (await counted.open("ann", 100)).close()
    await refused(counted, "ann", 101)


async def test_files_that_do_not_fit_are_refused_to_their_sender(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(MAX_ROOM_BYTES="1000", MAX_PARTICIPANT_BYTES="600")
    alice = await enter("alice", worker=worker)
    bob = await enter("bob")
    await send(alice, b"a" * 500, name="first.txt")
    await alice.notice("file.received", name="first.txt")
    await send(alice, b"b" * 200, name="second.txt")
    over = await alice.notice("file.refused", name="second.txt")
    assert (over["code"], "Your space" in over["text"]) == (507, True)
    await send(bob, b"c" * 400, name="third.txt")
    await bob.notice("file.received", name="third.txt")
    assert (await bob.ask("what is in it?")).finish_reason == "stop"
    await send(bob, b"d" * 101, name="fourth.txt")
    over = await bob.notice("file.refused", name="fourth.txt")
    assert (over["code"], "this room" in over["text"]) == (507, True)


async def test_files_of_tools_count_for_the_room(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(tools=[make_file], MAX_ROOM_BYTES="100")
    alice = await enter("alice", worker=worker)
    calls = [tool_call("makeFile", json.dumps({"size": size})) for size in (60, 60)]
    model.script(Reply(tool_calls=[calls[0]]), Reply(tool_calls=[calls[1]]), Reply("Done."))
    assert (await alice.ask("two files")).text == "Done."
    results = [result for _, result in model.requests[-1].chat.tool_results]
    assert ["this room" in each for each in results] == [False, True]
