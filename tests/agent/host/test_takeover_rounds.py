"""Which rooms are looked at in a round, and what becomes of their dead agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Never

import aiohttp
import pytest
from livekit import api
from livekit.api.room_service import RoomService
from livekit.protocol.models import Room

from agent.history.leases import LeaseHolder, LeaseState
from agent.history.open_history import open_history
from agent.host import takeover as module
from agent.host.claims import Claims
from agent.host.room_leases import RoomLeases
from agent.host.seats import Seats
from agent.host.takeover import ARRIVING, FOREIGN, LISTS, Takeover

# The rules of a round are tested without a server.
# pyright: reportPrivateUsage=false


def unreachable() -> Never:
    raise aiohttp.ClientError


class Rooms(RoomService):
    """The rooms of a server, as its API lists them.

    Attributes:
        answer: gives the rooms, for any asker.
    """

    def __init__(self, answer: Callable[[], Awaitable[list[Room]]]) -> None:
        self.answer = answer

    async def list_rooms(self, list: api.ListRoomsRequest) -> api.ListRoomsResponse:  # noqa: A002 - the SDK's own name
        return api.ListRoomsResponse(rooms=await self.answer())


class Listing(api.LiveKitAPI):
    """A server that lists rooms, and can do nothing else."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @property
    def room(self) -> Rooms:
        return self._rooms


class Unreachable(api.LiveKitAPI):
    """A server that cannot be reached."""

    def __init__(self) -> None: ...

    @property
    def room(self) -> Never:
        unreachable()


@pytest.fixture
async def takeover(tmp_path: Path) -> AsyncGenerator[Takeover]:
    history = open_history(f"sqlite:///{tmp_path}/agent.db")
    await history.migrate()
    claims = Claims(tmp_path / "claims")
    leases = RoomLeases(history.leases, claims, identity="agent", scope="all", free=lambda: 1)
    yield Takeover(
        leases,
        agent_name="",
        open_api=Unreachable,
        open_seats=lambda: Seats("agent", Unreachable),
        may_look=lambda: True,
    )
    await leases.aclose()
    await history.aclose()


async def test_rooms_of_other_agents_do_not_keep_those_waiting_that_had_ours(
    takeover: Takeover,
) -> None:
    rooms = {f"RM_{n}": Room(sid=f"RM_{n}", num_participants=1) for n in range(20)}
    states = {"RM_19": LeaseState.EXPIRED}
    takeover._due(rooms, states, 0.0)
    due = takeover._due(rooms, states, ARRIVING + 1)
    assert due[0] == "RM_19"
    assert len(due) == 1 + FOREIGN


async def test_a_look_that_takes_too_long_or_fails_ends_soon_and_the_next_one_has_longer(
    takeover: Takeover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "_patience", 0.01)
    is_slow = asyncio.Event()

    async def slow() -> list[Room]:
        await is_slow.wait()
        return []

    async def broken() -> list[Room]:
        raise ValueError("no room")

    async def fast() -> list[Room]:
        return [Room(sid="RM_1", num_participants=1)]

    rooms = Rooms(slow)
    seats = Seats("agent", Unreachable)
    async with asyncio.timeout(10):
        for patience in (0.02, 0.04):
            await takeover._look_once(Listing(rooms), seats)
            assert takeover._patience == patience
        rooms.answer = broken
        await takeover._look_once(Listing(rooms), seats)
        assert not takeover._watched
        rooms.answer = fast
        await takeover._look_once(Listing(rooms), seats)
    assert takeover._patience == LISTS
    assert takeover._watched.keys() == {"RM_1"}


async def test_a_silent_database_does_not_hold_up_a_look(
    takeover: Takeover, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_silent(*_: object) -> None:
        await asyncio.Event().wait()

    async def one() -> list[Room]:
        return [Room(sid="RM_1", num_participants=1)]

    monkeypatch.setattr(module, "STORES", 0.01)
    for name in ("take", "states", "free"):
        monkeypatch.setattr(takeover._leases.store, name, be_silent)
    async with asyncio.timeout(10):
        assert await takeover._elected()
        await takeover._look(Listing(Rooms(one)), Seats("agent", Unreachable))
    assert takeover._watched.keys() == {"RM_1"}


@pytest.mark.parametrize(
    ("state", "sid", "is_alone"),
    [
        (LeaseState.EXPIRED, "RM_1", True),
        (LeaseState.HELD, "RM_1", False),
        (LeaseState.LEFT, "RM_1", False),
        (LeaseState.EXPIRED, "RM_anew", False),
    ],
)
async def test_changes_during_a_check_are_seen_before_an_agent_is_dispatched(
    *,
    takeover: Takeover,
    state: LeaseState,
    sid: str,
    is_alone: bool,
) -> None:
    store = takeover._leases.store
    await store.beat(LeaseHolder("one", "all", "", 0), 0 if state is LeaseState.EXPIRED else 20)
    await store.take("agent", "RM_1", "one")
    if state is LeaseState.LEFT:
        await store.give_back("agent", "RM_1", "one", left=True)

    async def there() -> list[Room]:
        return [Room(sid=sid, name="kitchen")]

    room = Room(sid="RM_1", name="kitchen")
    assert await takeover._is_still_alone(room, Listing(Rooms(there))) is is_alone


async def test_a_dead_agent_is_removed_where_the_database_is_silent(
    takeover: Takeover, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_silent(*_: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(takeover._leases.store, "vacate", be_silent)
    monkeypatch.setattr(module, "VACATES", 0.01)
    async with asyncio.timeout(10):
        await takeover._vacate("RM_1")
