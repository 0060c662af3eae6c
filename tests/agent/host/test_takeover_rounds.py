"""Which rooms are looked at in a round, and what becomes of their dead agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Never

import aiohttp
import pytest
from livekit import api
from livekit.protocol.models import Room

from agent.history.leases import LeaseState
from agent.history.open_history import open_history
from agent.host import takeover as module
from agent.host.claims import Claims
from agent.host.room_leases import RoomLeases
from agent.host.seats import Seats
from agent.host.takeover import ARRIVING, FOREIGN, Takeover

# The rules of a round are tested without a server.
# pyright: reportPrivateUsage=false


def unreachable() -> Never:
    raise aiohttp.ClientError


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


async def test_a_dead_agent_is_removed_where_the_database_is_silent(
    takeover: Takeover, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_silent(*_: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(takeover._leases.store, "vacate", be_silent)
    monkeypatch.setattr(module, "VACATES", 0.01)
    async with asyncio.timeout(10):
        await takeover._vacate("RM_1")
