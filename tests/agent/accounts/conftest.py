"""Fixtures: the databases of the history's tests, and a backend with a webhook."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.agent.accounts.receiver import Receiver
from tests.agent.cli.conftest import bare
from tests.agent.history.conftest import database_url, history, new_history

__all__ = ["bare", "database_url", "history", "new_history"]


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    await receiver.server.start_server()
    yield receiver
    await receiver.server.close()
