"""The contract of every History: on both databases, and over stores of an app's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.errors import InvalidValueError
from agent.history.history import History
from agent.history.message import Feedback
from agent.history.schema import feedback
from agent.testing import HistoryContract
from agent.testing.history_samples import PRIVATE, NewHistory, asked, take_turn, unasked
from tests.agent.history.stores import FullStore, LeastStore


class TestSqlHistory(HistoryContract):
    @pytest.fixture
    def new_history(self, new_history: NewHistory) -> NewHistory:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The project's own stores, of conftest.py."""
        return new_history


class TestLeastStore(HistoryContract):
    @pytest.fixture
    def new_store(self) -> Callable[[], LeastStore]:
        data = LeastStore()
        return lambda: data


class TestFullStore(HistoryContract):
    @pytest.fixture
    def new_store(self) -> Callable[[], FullStore]:
        data = FullStore()
        return lambda: data


def test_nobody_else_writes_into_a_private_thread() -> None:
    with pytest.raises(InvalidValueError):
        asked("1", sender="bob", thread=PRIVATE)


async def test_the_last_feedback_of_each_is_kept(history: History, database_url: str) -> None:
    answer = await take_turn(history, asked("1"))
    for value in ("up", "down", 5, -0.5):
        await history.set_feedback(answer.key, Feedback("bob", value, "fine\0"))
    for value in (float("nan"), float("inf"), True):
        with pytest.raises(InvalidValueError):
            await history.set_feedback(answer.key, Feedback("bob", value))
    with pytest.raises(InvalidValueError):
        await history.set_feedback(answer.key, Feedback("bob", "up", "x" * 4_001))
    database = Database(DatabaseUrl.parse(database_url))
    rows = await database.read(lambda connection: connection.execute(select(feedback)).all())
    await database.aclose()
    assert [(row.identity, row.value, row.comment) for row in rows] == [("bob", "-0.5", "fine\0")]


def test_a_question_without_its_sender_is_no_question() -> None:
    with pytest.raises(InvalidValueError, match="name its question and its asker"):
        replace(unasked(), in_reply_to="1")
