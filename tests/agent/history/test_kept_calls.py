"""A call in the background is made again in one room at a time."""

from __future__ import annotations

import asyncio

from agent.history.history import History
from agent.history.leases import LeaseHolder
from agent.history.made_calls import KeptCall
from agent.testing.history_samples import ROOM
from tests.agent.history.conftest import NewHistory

FIRST, SECOND = "RM_first", "RM_second"


def kept(key: str = "k1", *, held_in: str = "", attempt: int = 0) -> KeptCall:
    begun_at = 2**53
    return KeptCall(
        key, ROOM, "ann", "Ann", "m1", "report", "{}", "TC_1", attempt, begun_at, held_in
    )


async def live_in(history: History, sid: str, seconds: float) -> None:
    """A worker process has the lease of a room, and lives for so long."""
    process = f"process of {sid}"
    await history.leases.beat(LeaseHolder(process, "all", "", 1), seconds)
    assert await history.leases.take("agent", sid, process)


async def test_one_of_two_rooms_takes_a_call_over(
    history: History, new_history: NewHistory
) -> None:
    calls, others = history.made_calls, new_history().made_calls
    for number in range(8):
        call = kept(f"k{number}")
        await calls.keep(call)
        taken = await asyncio.gather(calls.claim(call, FIRST), others.claim(call, SECOND))
        assert sorted(taken) == [False, True]
        left = {each.key: each for each in await calls.kept(ROOM.room)}[call.key]
        assert (left.attempt, left.held_in) == (1, FIRST if taken[0] else SECOND)
    gone = kept("gone")
    assert not await calls.claim(gone, FIRST)


async def test_a_call_of_a_room_with_a_living_agent_is_for_that_room(history: History) -> None:
    calls, call = history.made_calls, kept(held_in=FIRST)
    await calls.keep(call)
    await live_in(history, FIRST, 20)
    assert not await calls.claim(call, SECOND)
    # The next agent in the same room.
    assert await calls.claim(call, FIRST)
    assert not await calls.claim(call, FIRST)
    await live_in(history, FIRST, 0)
    assert await calls.claim(kept(held_in=FIRST, attempt=1), SECOND)
    assert [each.held_in for each in await calls.kept(ROOM.room)] == [SECOND]


async def test_a_room_that_is_over_drops_its_own_calls(history: History) -> None:
    calls = history.made_calls
    for call in (kept("mine", held_in=FIRST), kept("unknown"), kept("other", held_in=SECOND)):
        await calls.keep(call)
    await calls.drop_held("another conversation", FIRST)
    await calls.drop_held(ROOM.room, FIRST)
    assert [each.key for each in await calls.kept(ROOM.room)] == ["other"]


async def test_calls_follow_the_agent_into_a_room_that_was_made_anew(history: History) -> None:
    calls = history.made_calls
    for call in (kept("mine", held_in=FIRST), kept("other", held_in=SECOND)):
        await calls.keep(call)
    await calls.move("another conversation", FIRST, "RM_elsewhere")
    await calls.move(ROOM.room, FIRST, "RM_anew")
    assert {each.key: each.held_in for each in await calls.kept(ROOM.room)} == {
        "mine": "RM_anew",
        "other": SECOND,
    }


async def test_a_call_is_dropped_only_by_a_room_that_may_take_it(history: History) -> None:
    calls = history.made_calls
    held = {"mine": FIRST, "unknown": "", "dead": "RM_dead", "living": SECOND}
    for key, sid in held.items():
        await calls.keep(kept(key, held_in=sid))
    await live_in(history, "RM_dead", 0)
    await live_in(history, SECOND, 20)
    for key in held:
        await calls.drop_free(key, FIRST)
    assert [each.key for each in await calls.kept(ROOM.room)] == ["living"]
