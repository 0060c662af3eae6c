"""Leases of rooms by worker processes."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection

from agent.history import sql_leases
from agent.history.history import History
from agent.history.leases import Beat, LeaseHolder, LeaseState
from tests.agent.history.conftest import NewHistory

ME = "agent"
ROOM = "RM_kitchen"
LIVING = 3_600.0
DEAD = 0.0


def holder(name: str, *, free: int = 1, scope: str = "all", place: str = "") -> LeaseHolder:
    return LeaseHolder(name, scope, place, free)


async def test_a_lease_is_that_of_one_living_process(
    history: History, new_history: NewHistory
) -> None:
    first, second = history.leases, new_history().leases
    assert await first.beat(holder("a"), LIVING) == Beat(frozenset(), ())
    await second.beat(holder("b"), LIVING)
    taken = await asyncio.gather(first.take(ME, ROOM, "a"), second.take(ME, ROOM, "b"))
    assert sorted(taken) == [False, True]
    winner, loser = ("a", "b") if taken[0] else ("b", "a")
    assert await second.take(ME, ROOM, winner)
    assert (await first.beat(holder(winner), LIVING)).held == {ROOM}
    assert (await first.beat(holder(loser), LIVING)).held == frozenset()
    assert await second.states(ME, [ROOM, "RM_other"]) == {ROOM: LeaseState.HELD}
    assert await second.take("another agent", ROOM, loser)


async def test_the_lease_of_a_process_that_shows_no_life_can_be_taken(history: History) -> None:
    leases = history.leases
    await leases.beat(holder("a"), DEAD)
    await leases.beat(holder("b"), LIVING)
    await leases.take(ME, ROOM, "a")
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.EXPIRED}
    assert await leases.take(ME, ROOM, "b")
    # It wakes up, and learns that it has lost its room.
    assert (await leases.beat(holder("a"), LIVING)).held == frozenset()
    assert not await leases.take(ME, ROOM, "a")
    assert await leases.take(ME, ROOM, "a", by_force=True)


@pytest.mark.parametrize("step", [-7_200_000, 7_200_000], ids=["back", "forward"])
async def test_a_clock_that_jumps_keeps_no_dead_process_alive_and_lets_none_die(
    history: History, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    leases = history.leases
    for name in ("dead", "alive"):
        await leases.beat(holder(name, place="here"), LIVING)
        await leases.take(ME, f"RM_{name}", name)
    now = sql_leases.database_now

    def jumped(connection: Connection) -> int:
        return now(connection) + step

    monkeypatch.setattr(sql_leases, "database_now", jumped)
    assert (await leases.beat(holder("alive", place="here"), LIVING)).neighbours == ()
    assert await leases.states(ME, ["RM_dead", "RM_alive"]) == {
        "RM_dead": LeaseState.EXPIRED,
        "RM_alive": LeaseState.HELD,
    }
    assert await leases.free("all") == 1
    assert await leases.take(ME, "RM_dead", "alive")
    assert not await leases.take(ME, "RM_alive", "dead")


async def test_a_process_that_was_late_keeps_what_nobody_took(history: History) -> None:
    leases = history.leases
    await leases.beat(holder("a"), DEAD)
    await leases.take(ME, ROOM, "a")
    assert (await leases.beat(holder("a"), LIVING)).held == {ROOM}
    await leases.vacate(ME, ROOM)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.HELD}


async def test_a_lease_is_given_back_by_its_holder_alone(history: History) -> None:
    leases = history.leases
    for name in ("a", "b"):
        await leases.beat(holder(name), LIVING)
    await leases.take(ME, ROOM, "a")
    await leases.give_back(ME, ROOM, "b", left=True)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.HELD}
    await leases.give_back(ME, ROOM, "a", left=False)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.FREE}
    await leases.take(ME, ROOM, "b")
    await leases.give_back(ME, ROOM, "b", left=True)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.LEFT}
    # A request for an agent makes the room need one again, and so does a dispatch.
    await leases.want(ME, ROOM)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.FREE}
    await leases.take(ME, ROOM, "b")
    await leases.want(ME, ROOM)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.HELD}
    await leases.give_back(ME, ROOM, "b", left=True)
    assert await leases.take(ME, ROOM, "a")
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.HELD}


async def test_a_process_that_was_removed_as_dead_cannot_say_that_nobody_is_wanted(
    history: History,
) -> None:
    leases = history.leases
    await leases.beat(holder("a"), DEAD)
    await leases.take(ME, ROOM, "a")
    await leases.vacate(ME, ROOM)
    await leases.give_back(ME, ROOM, "a", left=True)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.FREE}


async def test_a_worker_may_die_before_it_leaves_for_good(history: History) -> None:
    leases = history.leases
    await leases.beat(holder("a"), LIVING)
    await leases.take(ME, ROOM, "a")
    await leases.give_back_later(ME, ROOM, "b")
    await leases.give_back_later(ME, ROOM, "a")
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.HELD}
    await leases.bury(["a"])
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.LEFT}
    await leases.vacate(ME, ROOM)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.LEFT}
    # Until an agent is asked for, or sent there.
    await leases.want(ME, ROOM)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.FREE}
    await leases.beat(holder("c"), LIVING)
    await leases.take(ME, ROOM, "c")
    await leases.give_back_later(ME, ROOM, "c")
    await leases.bury(["c"])
    await leases.beat(holder("d"), LIVING)
    assert await leases.take(ME, ROOM, "d")
    await leases.bury(["d"])
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.EXPIRED}


async def test_a_dead_process_whose_room_wants_nobody_is_no_reason_to_refuse(
    history: History,
) -> None:
    leases = history.leases
    await leases.beat(holder("a"), LIVING)
    await leases.take(ME, ROOM, "a")
    await leases.give_back_later(ME, ROOM, "a")
    # Somebody asks for an agent before it has left: it is still there.
    await leases.want(ME, ROOM)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.HELD}
    await leases.bury(["a"])
    await leases.want(ME, ROOM)
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.FREE}


async def test_neighbours_see_each_other_die(history: History) -> None:
    leases = history.leases
    await leases.beat(holder("a", place="here"), LIVING)
    await leases.beat(holder("b", place="there"), LIVING)
    beat = await leases.beat(holder("c", place="here"), LIVING)
    assert beat.neighbours == ("a",)
    await leases.take(ME, ROOM, "a")
    await leases.bury(["a"])
    assert await leases.states(ME, [ROOM]) == {ROOM: LeaseState.EXPIRED}
    assert (await leases.beat(holder("c", place="here"), LIVING)).neighbours == ()


async def test_free_places_of_living_workers_in_a_scope_are_counted(history: History) -> None:
    leases = history.leases
    assert await leases.free("all") == 0
    await leases.beat(holder("a", free=3), LIVING)
    await leases.beat(holder("b", free=4), LIVING)
    await leases.beat(holder("c", free=5), DEAD)
    await leases.beat(holder("d", free=6, scope="others"), LIVING)
    assert await leases.free("all") == 7
    await leases.beat(holder("b", free=0), LIVING)
    assert await leases.free("all") == 3


async def test_old_leases_are_forgotten_unless_somebody_has_them(history: History) -> None:
    leases = history.leases
    await leases.beat(holder("a"), LIVING)
    await leases.take(ME, ROOM, "a")
    await leases.take(ME, "RM_other", "a")
    await leases.give_back(ME, "RM_other", "a", left=True)
    await leases.prune(days=1)
    assert len(await leases.states(ME, [ROOM, "RM_other"])) == 2
    await leases.prune(days=-1)
    assert await leases.states(ME, [ROOM, "RM_other"]) == {ROOM: LeaseState.HELD}


async def test_many_leases_are_asked_for_at_a_time(history: History) -> None:
    leases = history.leases
    await leases.take(ME, "key 1999", "a")
    found = await leases.states(ME, [f"key {n}" for n in range(2_000)])
    assert found == {"key 1999": LeaseState.EXPIRED}
