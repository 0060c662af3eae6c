"""A process has the time that it takes to write what is left, before anybody ends it."""

from __future__ import annotations

from agent.history import durable_history, group_commit, told_answers
from agent.host.worker_server import ENDING
from agent.processes.supervisor import Patience


def test_nobody_ends_a_process_that_still_writes() -> None:
    writing = (
        durable_history.LONGEST_CLOSE + told_answers.CLOSE_TIMEOUT + group_commit.CLOSE_TIMEOUT
    )
    assert writing < ENDING
    assert writing < Patience().ending
