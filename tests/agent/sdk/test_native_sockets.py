"""Signal connections send at once; and the SDK leaves that to us."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import psutil
import pytest
from yarl import URL

from agent.sdk import native_sockets
from tests.room_server import RoomServerUnderTest, embedded_room_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.agent.conftest import Enter, StartWorker
    from tests.conftest import Join


def connections(server: RoomServerUnderTest) -> dict[int, bool]:
    """This process's connections to the server, by local port, and whether they send at once."""
    found: dict[int, bool] = {}
    for each in psutil.Process().net_connections("tcp"):
        if each.raddr and each.raddr.port == URL(server.url).port and each.status == "ESTABLISHED":
            with socket.socket(fileno=os.dup(each.fd)) as its:
                at_once = its.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            found[each.laddr.port] = bool(at_once)
    return found


async def test_the_sdk_does_not_send_at_once(join: Join, room_server: RoomServerUnderTest) -> None:
    """Once it does, there is no more need for this."""
    before = connections(room_server)
    await join("ana")
    of_ana = connections(room_server).keys() - before.keys()

    assert [connections(room_server)[port] for port in of_ana] == [False]
    native_sockets.send_at_once()
    assert [connections(room_server)[port] for port in of_ana] == [True]


async def test_without_a_list_of_open_files_nothing_is_done(
    join: Join,
    room_server: RoomServerUnderTest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    await join("ana")
    before = connections(room_server)
    monkeypatch.setattr(native_sockets, "DESCRIPTORS", str(tmp_path / "nowhere"))
    native_sockets.send_at_once()
    assert connections(room_server) == before
    assert False in before.values()


async def test_an_agent_sends_at_once(
    enter: Enter, start_worker: StartWorker, room_server: RoomServerUnderTest
) -> None:
    ana = await enter("ana", worker=await start_worker(SDK_PATCHES="on"))
    assert (await ana.ask("hello")).finish_reason == "stop"
    found = connections(room_server)
    assert len(found) >= 2
    assert all(found.values())


class TestTheRoomServerIsRestarted:
    @pytest.fixture
    async def room_server(self) -> AsyncGenerator[RoomServerUnderTest]:
        async with embedded_room_server() as server:
            yield server

    async def test_a_new_connection_sends_at_once_as_well(
        self, enter: Enter, start_worker: StartWorker, room_server: RoomServerUnderTest
    ) -> None:
        ana = await enter("ana", worker=await start_worker(SDK_PATCHES="on"))
        former = connections(room_server).keys()

        await ana.outlive(room_server)
        assert (await ana.ask("are you there?")).finish_reason == "stop"

        found = connections(room_server)
        assert True in [found[port] for port in found.keys() - former]
