"""The whiteboard over a real room: drawn by packets, read by pages, kept for the next worker."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from livekit import api, rtc

from agent.history.open_history import open_history
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import AGENT, ChatClient, announced
from tests.agent.conftest import Enter, StartWorker

SQUARE = {"op": "stroke", "id": "s1", "points": [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]}
NOTE = {"op": "note", "id": "n1", "x": 1, "y": 2, "text": "Où est « le chat » ?", "color": "#ff0"}


async def draw(client: ChatClient, **operation: object) -> None:
    await client.send_packet({"topic": "whiteboard", "payload": operation})


async def page(client: ChatClient, **arguments: object) -> dict[str, Any]:
    answer = await client.call("getWhiteboard", json.dumps(arguments))
    assert len(answer.encode()) < 14_000
    return json.loads(answer)


async def board(client: ChatClient) -> list[dict[str, Any]]:
    """All elements, from below."""
    read = await page(client)
    elements = read["elements"]
    while "nextAfter" in read:
        read = await page(client, after=read["nextAfter"])
        elements += read["elements"]
    return elements


async def until_drawn(client: ChatClient, sequence: int) -> dict[str, Any]:
    """The first page, once so much has been done; a call may overtake packets."""
    async with asyncio.timeout(20):
        while (read := await page(client))["sequence"] < sequence:
            pass
    return read


@pytest.fixture
async def alice(enter: Enter) -> ChatClient:
    """Somebody whom the agent knows by now."""
    client = await enter("alice")
    await client.ask("hello")
    return client


async def test_a_late_joiner_gets_what_was_drawn(alice: ChatClient, enter: Enter) -> None:
    await draw(alice, **SQUARE)
    # As a DataChannelManager sends it, and as flat as it can be.
    await alice.send_packet({"id": "packet-1", "type": "whiteboard", "content": NOTE})
    await alice.send_packet({"op": "text", "id": "t1", "x": 0, "y": 0, "text": "hi"}, "whiteboard")
    await draw(alice, op="move", id="s1", x=100.5, y=-1)
    await draw(alice, **{**NOTE, "text": "Ici"})
    await draw(alice, op="erase", id="t1")
    await draw(alice, op="erase", id="never there")
    await until_drawn(alice, 6)

    bob = await enter("bob")
    stroke, note = await board(bob)
    moved = [[100.5, -1], [110.5, -1], [110.5, 9], [100.5, 9], [100.5, -1]]
    assert (stroke["points"], stroke["senderId"], stroke["order"]) == (moved, "alice", 1)
    assert {key: note[key] for key in NOTE} == {**NOTE, "text": "Ici"}
    assert note["timestamp"] > 1_700_000_000_000

    await announced(alice, bob)
    await draw(bob, op="clear")
    refused = await bob.notice("error", code=403)
    assert refused["text"] == "Only moderators clear the whiteboard: erase what is yours."
    assert len(await board(bob)) == 2
    moderator = await enter(
        "carol", attributes={"role": "moderator"}, can_update_own_metadata=False
    )
    await announced(bob, moderator)
    await draw(moderator, op="clear")
    assert (await until_drawn(bob, 7))["elements"] == []


async def test_the_model_clears_it_for_moderators_alone(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    await draw(alice, **NOTE)
    await until_drawn(alice, 1)
    clearing = Reply(
        tool_calls=[tool_call("drawOnWhiteboard", json.dumps({"operations": [{"op": "clear"}]}))]
    )
    model.script(clearing, Reply("No."))
    assert (await alice.ask("clear it")).text == "No."
    (_, told) = model.requests[-1].chat.tool_results[-1]
    assert "Only moderators" in told
    moderator = await enter(
        "carol", attributes={"role": "moderator"}, can_update_own_metadata=False
    )
    model.script(clearing, Reply("Done."))
    assert (await moderator.ask("clear it")).text == "Done."
    assert (await until_drawn(alice, 2))["elements"] == []


async def test_a_setting_lets_everybody_clear_it(start_worker: StartWorker, enter: Enter) -> None:
    worker = await start_worker(WHITEBOARD_CLEAR="everybody")
    bob = await enter("bob", worker=worker)
    await bob.ask("hello")
    await draw(bob, **NOTE)
    await draw(bob, op="clear")
    assert (await until_drawn(bob, 2))["elements"] == []


async def test_a_client_that_was_away_gets_the_operations_since(alice: ChatClient) -> None:
    for number in range(5):
        await draw(alice, op="erase" if number % 2 else "note", id="n", x=0, y=number, text="hi")
    await until_drawn(alice, 5)
    missed = await page(alice, since=3)
    assert [each["sequence"] for each in missed["operations"]] == [4, 5]
    assert [each["op"] for each in missed["operations"]] == ["erase", "note"]
    assert missed["sequence"] == 5
    assert (await page(alice, since=5))["operations"] == []
    for never in (6, 10**15):
        with pytest.raises(rtc.RpcError) as caught:
            await page(alice, since=never)
        assert caught.value.code == 404


async def test_pages_and_logs_are_whole_and_fit(alice: ChatClient) -> None:
    points = [[round(n / 7, 6), -n] for n in range(250)]
    for number in range(40):
        await draw(alice, op="stroke", id=f"s{number}", points=points)
    read = await until_drawn(alice, 40)
    assert 0 < len(read["elements"]) < 40
    assert [each["id"] for each in await board(alice)] == [f"s{n}" for n in range(40)]
    done: list[int] = []
    while len(done) < 40:
        log = await page(alice, since=len(done))
        done += [each["sequence"] for each in log["operations"]]
        assert log.get("nextSince", 40) == done[-1]
    assert done == list(range(1, 41))


async def test_the_board_outlives_the_worker(
    start_worker: StartWorker, enter: Enter, lk_api: api.LiveKitAPI, room_name: str, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path}/shared.db"
    first = await start_worker(DATABASE_URL=database)
    alice = await enter("alice", worker=first)
    await alice.ask("hello")
    # More than one snapshot's worth.
    for number in range(300):
        await draw(alice, op="note", id=f"n{number % 150}", x=number, y=0, text="a\u2028b")
    await draw(alice, op="erase", id="n0")
    await until_drawn(alice, 301)
    before = await board(alice)
    await first.server.aclose()
    await alice.until(lambda: alice.agent is None)

    second = await start_worker(DATABASE_URL=database)
    request = api.CreateAgentDispatchRequest(agent_name=second.name, room=room_name)
    await lk_api.agent_dispatch.create_dispatch(request)
    await alice.until_ready()
    assert await board(alice) == before
    assert len(before) == 149
    await draw(alice, **NOTE)
    assert (await until_drawn(alice, 302))["sequence"] == 302


async def test_the_model_reads_it_and_draws_on_it(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    bob = await enter("bob")
    await announced(alice, bob)
    await draw(bob, **SQUARE)
    await draw(bob, **NOTE)
    await until_drawn(bob, 2)
    seen = (await alice.ask("call readWhiteboard {}")).text
    outline = '"from":[0.0,0.0],"to":[0.0,0.0],"box":[0.0,0.0,10.0,10.0],"points":5'
    assert outline in seen
    assert "Où est « le chat » ?" in seen

    drawn = [{"op": "note", "id": "mine", "x": 5, "y": 5, "text": "Here"}, {**SQUARE, "id": "box"}]
    arguments = json.dumps({"operations": drawn})
    model.script(Reply(tool_calls=(tool_call("drawOnWhiteboard", arguments),)), Reply("Done."))
    await alice.ask("draw something")
    packets = [body for topic, body in bob.packets if topic == "whiteboard"]
    assert [packet["content"]["id"] for packet in packets[-2:]] == ["mine", "box"]
    assert all(packet["senderId"] == AGENT for packet in packets[-2:])
    assert [each["senderId"] for each in await board(bob)] == ["bob", "bob", AGENT, AGENT]

    moved = {"op": "move", "id": "nowhere", "x": 1, "y": 1}
    with pytest.raises(rtc.RpcError) as caught:
        await bob.call("drawOnWhiteboard", json.dumps({"operations": [moved]}))
    assert caught.value.code == 404


async def test_a_board_of_ten_thousand_strokes_is_full_and_can_be_read(
    start_worker: StartWorker, enter: Enter, room_name: str, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path}/shared.db"
    strokes = [{**SQUARE, "id": f"s{n}", "order": n} for n in range(1, 10_001)]
    lines = [json.dumps(each | {"senderId": "bob", "timestamp": 1}) for each in strokes]
    history = open_history(database)
    await history.migrate()
    await history.boards.replace(room_name, 0, 10_000, "\n".join(lines))
    await history.aclose()
    alice = await enter(
        "alice", worker=await start_worker(DATABASE_URL=database, CONVERSATIONS="room-name")
    )
    await alice.ask("hello")
    assert [each["id"] for each in await board(alice)] == [each["id"] for each in strokes]
    await draw(alice, **SQUARE)
    await draw(alice, **{**SQUARE, "id": "one more"})
    notice = await alice.notice("error", code=413)
    assert notice["messageIds"] == ["one more"]
    assert (await page(alice))["sequence"] == 10_001


SENSELESS: list[tuple[object, int]] = [
    ({"op": "explode", "id": "a"}, 400),
    ({"op": "x" * 10_000, "id": "a"}, 400),
    ({"id": "a"}, 400),
    ({"op": "stroke"}, 400),
    ({**SQUARE, "points": []}, 400),
    ({**SQUARE, "points": [[0]]}, 400),
    ({**SQUARE, "points": [["0", "0"]]}, 400),
    ({**SQUARE, "points": [[0, float("inf")]]}, 400),
    ({**SQUARE, "points": [[0, 0]] * 1_001}, 400),
    ({**SQUARE, "points": [[-123456.123456, -123456.123456]] * 500}, 413),
    ({**SQUARE, "width": 0}, 400),
    ({**SQUARE, "color": "<script>"}, 400),
    ({**NOTE, "text": ""}, 400),
    ({**NOTE, "text": "t" * 4_001}, 400),
    ({**NOTE, "x": 1e9}, 400),
    ({**NOTE, "id": "i" * 129}, 400),
    ({"op": "move", "id": "not there", "x": 0, "y": 0}, 404),
    ([SQUARE], 400),
    ("scribble", 400),
]


async def test_senseless_input_is_refused(alice: ChatClient) -> None:
    for number, (operation, code) in enumerate(SENSELESS, start=1):
        packet = json.dumps(operation, separators=(",", ":"))
        await alice.send_packet(packet, "whiteboard")
        await alice.until(lambda number=number: len(alice.notices("error")) == number)
        notice = alice.notices("error")[-1]
        assert notice["code"] == code, operation
        assert len(notice["text"]) <= 500
    assert await page(alice) == {"elements": [], "sequence": 0}


async def test_a_flood_of_strokes_is_bounded_and_disturbs_nobody(
    alice: ChatClient, enter: Enter
) -> None:
    bob = await enter("bob")
    await bob.ask("hello")
    ids = [f"s{number}" for number in range(2_000)]
    for start in range(0, len(ids), 50):
        await asyncio.gather(
            *(draw(alice, **{**SQUARE, "id": each}) for each in ids[start : start + 50])
        )

    def refused() -> set[str]:
        return {each for n in alice.notices("error", code=429) for each in n["messageIds"]}

    drawn: set[str] = set()
    async with asyncio.timeout(30):
        while drawn | refused() != set(ids):
            drawn = {each["id"] for each in await board(bob)}
    assert drawn.isdisjoint(refused())
    assert len(drawn) >= 500
    assert (await bob.ask("still there?")).finish_reason == "stop"
    assert bob.notices("error") == []
