"""A board goes on while the database is unavailable, and is whole in it afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from agent.data import board_keeper
from agent.data.board import Board
from agent.data.board_keeper import BoardKeeper
from agent.data.board_operation import Operation, Stroke
from agent.history.boards import Boards, StoredBoard
from agent.history.durable_history import DurableHistory
from agent.history.errors import UnavailableError
from agent.history.open_history import open_history
from tests.agent.room.test_room_tasks import Failing


class CutBoards:
    """Boards of a database that can be cut off, and the events that a test waits for."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards
        self.away = False
        self.refused = asyncio.Event()
        self.replaced = asyncio.Event()

    async def load(self, room: str) -> StoredBoard:
        self._check()
        return await self._boards.load(room)

    async def names(self, after: str, limit: int) -> tuple[str, ...]:
        self._check()
        return await self._boards.names(after, limit)

    async def append(self, room: str, base: int, operations: Sequence[tuple[int, str]]) -> bool:
        self._check()
        return await self._boards.append(room, base, operations)

    async def replace(self, room: str, base: int, sequence: int, snapshot: str) -> bool:
        self._check()
        written = await self._boards.replace(room, base, sequence, snapshot)
        self.replaced.set()
        return written

    def _check(self) -> None:
        if self.away:
            self.refused.set()
            raise UnavailableError("the cable is cut")


@pytest.fixture
async def history(tmp_path: Path) -> AsyncGenerator[DurableHistory]:
    history = open_history(f"sqlite:///{tmp_path}/agent.db")
    await history.migrate()
    yield history
    await history.aclose()


def draw(board: Board, keeper: BoardKeeper, *keys: str) -> None:
    for key in keys:
        logged = board.do(Operation(Stroke(op="stroke", id=key, points=[(1, 2)])), "ann", 1)
        assert logged is not None
        keeper.keep(logged)


async def kept(history: DurableHistory) -> Board:
    """The board as the next worker has it."""
    board = Board()
    await BoardKeeper(history.boards, "kitchen", board).loaded()
    return board


async def test_drawings_during_an_outage_are_stored_after_it(
    history: DurableHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_keeper, "FIRST_PAUSE", 0.01)
    board, boards = Board(), CutBoards(history.boards)
    keeper = BoardKeeper(boards, "kitchen", board)
    await keeper.loaded()
    draw(board, keeper, "before")
    boards.away = True
    draw(board, keeper, *(f"during {number}" for number in range(1_500)))
    async with asyncio.timeout(20):
        await boards.refused.wait()
        boards.away = False
        await boards.replaced.wait()
    draw(board, keeper, "after")
    await keeper.aclose()
    assert (await kept(history)).snapshot() == board.snapshot()


async def test_drawings_are_stored_after_the_task_that_stores_them_has_failed(
    history: DurableHistory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(BoardKeeper, "_pause", Failing(BoardKeeper, "_pause", 1))
    board, boards = Board(), CutBoards(history.boards)
    keeper = BoardKeeper(boards, "kitchen", board)
    await keeper.loaded()
    boards.away = True
    draw(board, keeper, "a")
    async with asyncio.timeout(20):
        await boards.refused.wait()
        boards.away = False
        await boards.replaced.wait()
    await keeper.aclose()
    assert (await kept(history)).snapshot() == board.snapshot()
    assert caplog.text.count("the task 'whiteboard' failed, restarting in") == 1


async def test_a_board_that_cannot_be_loaded_is_loaded_later(history: DurableHistory) -> None:
    first = Board()
    keeper = BoardKeeper(history.boards, "kitchen", first)
    draw(first, keeper, "a", "b")
    await keeper.aclose()
    second, boards = Board(), CutBoards(history.boards)
    keeper = BoardKeeper(boards, "kitchen", second)
    boards.away = True
    with pytest.raises(UnavailableError):
        await keeper.loaded()
    boards.away = False
    await asyncio.gather(*(keeper.loaded() for _ in range(3)))
    assert second.snapshot() == first.snapshot()


async def test_leaving_does_not_wait_for_a_database_that_is_away(history: DurableHistory) -> None:
    board, boards = Board(), CutBoards(history.boards)
    keeper = BoardKeeper(boards, "kitchen", board)
    await keeper.loaded()
    boards.away = True
    draw(board, keeper, "lost")
    async with asyncio.timeout(20):
        await boards.refused.wait()
        await keeper.aclose()
    assert len(await kept(history)) == 0


async def test_two_agents_in_a_room_keep_what_either_did(history: DurableHistory) -> None:
    boards = [Board(), Board()]
    keepers = [BoardKeeper(history.boards, "kitchen", board) for board in boards]
    for keeper in keepers:
        await keeper.loaded()
    everybody = [f"packet {number}" for number in range(300)]
    for board, keeper in zip(boards, keepers, strict=True):
        draw(board, keeper, *everybody)
    draw(boards[0], keepers[0], "by the first alone")
    draw(boards[1], keepers[1], "by the second alone")
    for keeper in keepers:
        await keeper.aclose()
    drawn = {element["id"] for element in await kept(history)}
    assert drawn == {*everybody, "by the first alone", "by the second alone"}


async def test_a_stale_agent_does_not_replace_a_newer_board(history: DurableHistory) -> None:
    stale, newer = Board(), Board()
    stale_keeper = BoardKeeper(history.boards, "kitchen", stale)
    await stale_keeper.loaded()
    newer_keeper = BoardKeeper(history.boards, "kitchen", newer)
    await newer_keeper.loaded()
    draw(newer, newer_keeper, *(f"new {number}" for number in range(250)))
    await newer_keeper.aclose()
    draw(stale, stale_keeper, *(f"late {number}" for number in range(300)))
    assert stale.since(299, 10_000) is not None
    await stale_keeper.aclose()
    assert len(await kept(history)) == 550
    # Its clients know it by numbers that mean something else now.
    assert stale.since(299, 10_000) is None
