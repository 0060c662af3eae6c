"""A process's leases on its rooms during an outage of the database, and after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.errors import UnavailableError
from agent.history.leases import Beat, LeaseHolder, LeaseState
from agent.history.migrate import migrate
from agent.history.sql_leases import SqlLeases
from agent.host import room_leases
from agent.host.claims import Claims
from agent.host.room_leases import RoomLeases

ME = "agent"
ROOM = "RM_kitchen"
JOB = "AJ_1"
LIVING = 30.0


class Store(SqlLeases):
    """Leases in a database that can be away, or not answer.

    Attributes:
        beats: heartbeats that were asked for.
    """

    is_away = False
    is_silent = False
    beats = 0

    async def beat(self, holder: LeaseHolder, seconds: float) -> Beat:
        self.beats += 1
        if self.is_silent:
            await asyncio.Event().wait()
        self._be_there()
        return await super().beat(holder, seconds)

    async def take(self, identity: str, key: str, holder: str, *, by_force: bool = False) -> bool:
        self._be_there()
        return await super().take(identity, key, holder, by_force=by_force)

    async def give_back(self, identity: str, key: str, holder: str, *, left: bool) -> None:
        self._be_there()
        await super().give_back(identity, key, holder, left=left)

    async def give_back_later(self, identity: str, key: str, holder: str) -> None:
        self._be_there()
        await super().give_back_later(identity, key, holder)

    def _be_there(self) -> None:
        if self.is_away:
            raise UnavailableError("away")

    async def state(self) -> LeaseState | None:
        return (await self.states(ME, [ROOM])).get(ROOM)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store]:
    database = Database(DatabaseUrl.parse(f"sqlite:///{tmp_path}/agent.db"))
    await migrate(database)
    yield Store(database)
    await database.aclose()


NewLeases = Callable[[], RoomLeases]


@pytest.fixture
async def new_leases(store: Store, tmp_path: Path) -> AsyncGenerator[NewLeases]:
    """Makes the leases of one more process, which beats only when it is told to."""
    made: list[RoomLeases] = []

    def make() -> RoomLeases:
        claims = Claims(tmp_path / f"claims-{len(made)}")
        made.append(RoomLeases(store, claims, identity=ME, scope="all", free=lambda: 1))
        return made[-1]

    yield make
    store.is_away = store.is_silent = False
    for leases in made:
        await leases.aclose()


def unexpected() -> None:
    raise AssertionError("a room was lost")


@pytest.mark.parametrize("left", [True, False])
async def test_a_room_that_is_left_without_the_database_is_given_back_later(
    *, left: bool, store: Store, new_leases: NewLeases
) -> None:
    leases = new_leases()
    assert await leases.beat()
    assert await leases.take(JOB, ROOM)
    store.is_away = True
    await leases.give_back(JOB, left=left)
    store.is_away = False
    assert await store.state() is LeaseState.HELD
    assert await leases.beat()
    assert await store.state() is (LeaseState.LEFT if left else LeaseState.FREE)


@pytest.mark.parametrize("away", [False, True], ids=["at once", "later"])
async def test_that_a_room_wants_nobody_after_a_stay_is_noted(
    *, away: bool, store: Store, new_leases: NewLeases
) -> None:
    leases = new_leases()
    assert await leases.beat()
    assert await leases.take(JOB, ROOM)
    store.is_away = away
    await leases.tenure(JOB, unexpected).be_last()
    store.is_away = False
    if away:
        assert await leases.beat()
    assert await store.state() is LeaseState.HELD
    await store.bury([leases.id])
    assert await store.state() is LeaseState.LEFT


async def test_a_job_whose_room_was_made_anew_has_the_lease_of_the_new_one(
    store: Store, new_leases: NewLeases
) -> None:
    leases, other = new_leases(), new_leases()
    assert await leases.beat()
    assert await other.beat()
    assert await leases.take(JOB, "RM_former")
    await leases.tenure(JOB, unexpected).be_last()
    assert await leases.move(JOB, ROOM)
    assert await store.states(ME, ["RM_former"]) == {"RM_former": LeaseState.FREE}
    assert not await other.take("AJ_2", ROOM)
    # That nobody is wanted after this stay is noted for the new room, too.
    assert await leases.beat()
    await store.bury([leases.id])
    assert await store.state() is LeaseState.LEFT


async def test_a_stay_hears_of_its_new_room_while_it_has_the_former_one(
    store: Store, new_leases: NewLeases
) -> None:
    leases = new_leases()
    assert await leases.beat()
    assert await leases.take(JOB, "RM_former")
    heard: list[tuple[str, set[LeaseState]]] = []

    async def on_moved(sid: str) -> None:
        heard.append((sid, set((await store.states(ME, ["RM_former", ROOM])).values())))

    leases.tenure(JOB, unexpected).on_moved = on_moved
    assert await leases.move(JOB, ROOM)
    assert heard == [(ROOM, {LeaseState.HELD})]


async def test_the_lease_of_another_process_is_not_moved_to(
    store: Store, new_leases: NewLeases
) -> None:
    leases, other = new_leases(), new_leases()
    assert await other.beat()
    assert await other.take("AJ_2", ROOM)
    assert await leases.take(JOB, "RM_former")
    assert not await leases.move(JOB, ROOM)
    assert leases.sid(JOB) == "RM_former"
    await other.give_back("AJ_2", left=False)
    assert await leases.move(JOB, ROOM)
    assert await store.state() is LeaseState.HELD


async def test_a_room_that_is_taken_again_is_not_given_back(
    store: Store, new_leases: NewLeases
) -> None:
    leases = new_leases()
    assert await leases.take(JOB, ROOM)
    store.is_away = True
    await leases.give_back(JOB, left=True)
    store.is_away = False
    assert await leases.take("AJ_2", ROOM)
    assert await leases.beat()
    assert await store.state() is LeaseState.HELD


async def test_a_room_of_a_process_that_died_meanwhile_is_asked_for_again(
    store: Store, new_leases: NewLeases, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.beat(LeaseHolder("dead", "all", "", 0), LIVING)
    await store.take(ME, ROOM, "dead")
    leases = new_leases()
    store.is_away = True
    assert await leases.take(JOB, ROOM)
    tenure = leases.tenure(JOB, unexpected)
    store.is_away = False
    assert await leases.beat()
    assert not tenure.is_over
    # The row of the dead process expires.
    await store.bury(["dead"])
    assert await leases.beat()
    assert (await store.beat(LeaseHolder(leases.id, "all", "", 0), LIVING)).held == {ROOM}
    assert not tenure.is_over


async def test_a_room_that_a_living_process_keeps_is_left(
    store: Store, new_leases: NewLeases, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.beat(LeaseHolder("living", "all", "", 0), LIVING)
    await store.take(ME, ROOM, "living")
    leases = new_leases()
    store.is_away = True
    assert await leases.take(JOB, ROOM)
    lost = asyncio.Event()
    tenure = leases.tenure(JOB, lost.set)
    store.is_away = False
    assert await leases.beat()
    assert not tenure.is_over
    monkeypatch.setattr(room_leases, "LASTS", 0.0)
    assert await leases.beat()
    assert tenure.is_over
    assert lost.is_set()


class Blind(Claims):
    """Claims whose file cannot be used any more once a process is looked for."""

    def is_taken(self, name: str) -> bool:
        self._is_usable = False
        return super().is_taken(name)


async def test_a_process_that_cannot_see_its_neighbours_declares_none_dead(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "claims"
    first, second = (
        RoomLeases(store, claims, identity=ME, scope="all", free=lambda: 1)
        for claims in (Claims(file), Blind(file))
    )
    assert await first.beat()
    assert await first.take(JOB, ROOM)
    assert await second.beat()
    assert await store.state() is LeaseState.HELD
    for leases in (first, second):
        await leases.aclose()


async def test_all_answers_wait_for_one_heartbeat_and_not_for_long(
    store: Store, new_leases: NewLeases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_leases, "CONFIRMS", 0.1)
    leases = new_leases()
    store.is_silent = True
    tenures = [leases.tenure(f"AJ_{number}", unexpected) for number in range(20)]
    async with asyncio.timeout(10):
        assert all(await asyncio.gather(*(tenure.holds() for tenure in tenures)))
    assert store.beats == 1


async def test_only_leases_that_were_renewed_before_are_missed(
    store: Store, new_leases: NewLeases, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, room_leases.__name__)
    leases = new_leases()
    store.is_away = True
    # The tables may still be being made.
    assert not await leases.beat()
    assert caplog.text == ""
    store.is_away = False
    assert await leases.beat()
    store.is_away = True
    assert not await leases.beat()
    assert "leases on rooms not renewed" in caplog.text


async def test_after_two_failed_heartbeats_nobody_waits_for_the_database(
    store: Store, new_leases: NewLeases
) -> None:
    leases = new_leases()
    store.is_away = True
    tenure = leases.tenure(JOB, unexpected)
    for _ in range(3):
        assert await tenure.holds()
    assert store.beats == 2
