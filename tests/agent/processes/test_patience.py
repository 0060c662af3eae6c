"""A process has the time that it takes to write what is left, before anybody ends it."""

from __future__ import annotations

from agent.accounts import accounts, webhooks
from agent.history import durable_history, group_commit, sqlite_engine, told_answers
from agent.host.closing import Closing
from agent.host.worker_server import ENDING
from agent.processes.supervisor import Patience


def test_nobody_ends_a_process_that_still_writes() -> None:
    closing = Closing()
    of_store = told_answers.CLOSE_TIMEOUT + group_commit.CLOSE_TIMEOUT
    assert closing.store >= of_store + 2 * sqlite_engine.CLOSE_TIMEOUT
    # At the same time, after all rooms and the opening have taken all of theirs.
    of_services = max(accounts.CLOSE_TIMEOUT, webhooks.CLOSING_TAKES)
    assert closing.services - closing.opening > of_services
    # What waits is written from the beginning on, so the rest needs no more than is left.
    assert durable_history.LONGEST_CLOSE + closing.store <= closing.history
    assert closing.history + 1.0 < ENDING
    assert Patience().ending >= ENDING
    assert closing.rooms < closing.services < closing.history - closing.store
