"""Whiteboards in the database, on both kinds."""

from __future__ import annotations

import pytest

from agent.history.boards import StoredBoard
from agent.history.errors import UnavailableError
from agent.history.history import History
from tests.agent.history.conftest import NewHistory


async def test_a_board_is_its_snapshot_and_what_came_after(
    history: History, new_history: NewHistory
) -> None:
    boards = history.boards
    assert await boards.load("kitchen") == StoredBoard()
    await boards.append("kitchen", 0, [(1, "one"), (2, "two\0\x1a")])
    # Another agent, which does not know of these two.
    assert not await boards.append("kitchen", 1, [(2, "again"), (3, "three")])
    assert not await boards.replace("kitchen", 1, 1, "stale")
    assert await boards.append("kitchen", 2, [(3, "three")])
    await boards.append("hall", 0, [(1, "other")])
    assert await boards.load("kitchen") == StoredBoard(0, "", ("one", "two\0\x1a", "three"))
    await boards.replace("kitchen", 3, 2, "as it was")
    assert not await boards.append("kitchen", 1, [(2, "older than the snapshot")])
    await boards.append("kitchen", 3, [(4, "four")])
    kept = StoredBoard(2, "as it was", ("three", "four"))
    assert await boards.load("kitchen") == kept
    await history.aclose()
    other = new_history()
    assert await other.boards.load("kitchen") == kept
    await other.boards.replace("kitchen", 4, 4, "x" * 2_000_000)
    assert await other.boards.load("kitchen") == StoredBoard(4, "x" * 2_000_000)
    assert await other.boards.load("hall") == StoredBoard(0, "", ("other",))


async def test_a_database_that_is_away_says_so(new_history: NewHistory) -> None:
    # Not migrated: there are no tables.
    history = new_history()
    with pytest.raises(UnavailableError):
        await history.boards.load("kitchen")
    with pytest.raises(UnavailableError):
        await history.boards.append("kitchen", 0, [(1, "one")])
