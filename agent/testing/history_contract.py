"""HistoryContract: the tests that every history must pass, including one over an app's own
store."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import pytest
import pytest_asyncio

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.history import History
from agent.history.own_history import OwnHistory
from agent.history.sql_history import SqlHistory
from agent.history.turn_store import TurnStore
from agent.testing.change_contract import ChangeContract
from agent.testing.history_samples import NewHistory
from agent.testing.turn_contract import TurnContract


class HistoryContract(TurnContract, ChangeContract):
    """Inherit from it, and say how a store is opened::

        class TestMyStore(HistoryContract):
            @pytest.fixture
            def new_store(self, tmp_path):
                return lambda: MyStore(tmp_path / "turns")

    Each test has a store that was empty. Tests of optional parts that a store lacks are skipped.
    """

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def new_store(self) -> Callable[[], TurnStore]:
        """Opens another store on the same data, like another worker."""
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def new_history(self, new_store: Callable[[], TurnStore]) -> AsyncGenerator[NewHistory]:
        """Another history on the same data."""
        made: list[History] = []

        def make() -> History:
            rest = SqlHistory(Database(DatabaseUrl.parse("sqlite://")))
            made.append(OwnHistory(new_store(), rest, log_content=True))
            return made[-1]

        yield make
        for history in made:
            await history.aclose()

    @pytest_asyncio.fixture
    async def history(self, new_history: NewHistory) -> History:
        """A history on no data."""
        history = new_history()
        await history.migrate()
        return history
