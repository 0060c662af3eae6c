"""What belongs to no message goes; everything else stays."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.files.store import FileStore
from agent.files.sweep import GRACE, Sweep
from agent.history.history import History
from agent.history.message import Attachment
from agent.history.open_history import open_history
from tests.agent.files.test_store import keep
from tests.agent.history.turns import asked

DATABASE = "sqlite:///a.db"


@pytest.fixture
async def history(tmp_path: Path) -> AsyncGenerator[History]:
    history = open_history(f"sqlite:///{tmp_path}/history.db")
    await history.migrate()
    yield history
    await history.aclose()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[FileStore]:
    store = FileStore(tmp_path / "files", max_bytes=1_000)
    await store.open()
    yield store
    await store.aclose()


async def keep_old(store: FileStore, content: bytes) -> str:
    sha256 = await keep(store, content)
    then = time.time() - GRACE - 60
    os.utime(store.path(sha256), (then, then))
    return sha256


async def test_what_no_message_has_is_removed_after_a_day(
    store: FileStore, history: History
) -> None:
    used = await keep_old(store, b"used")
    deleted = await keep_old(store, b"deleted")
    fresh = await keep(store, b"fresh")
    sweep = Sweep(store, history.attached_content, DATABASE)
    for number, sha256 in enumerate((used, deleted)):
        file = Attachment(f"file_{number}", "a.txt", "text/plain", 4, sha256)
        await history.add_message(replace(asked(str(number)), attachments=(file,)))
    assert await sweep.sweep() == 0

    await history.delete_message(asked("1").key, asker="ann")

    assert await sweep.sweep() == 1
    assert [store.path(each).exists() for each in (used, deleted, fresh)] == [True, False, True]
    await keep(store, b"x" * (1_000 - len(b"used" + b"fresh")))


async def test_another_database_decides_nothing(store: FileStore, history: History) -> None:
    assert await Sweep(store, history.attached_content, DATABASE).sweep() == 0
    await keep_old(store, b"of the first database")
    assert await Sweep(store, history.attached_content, "sqlite:///b.db").sweep() == 0
    assert await Sweep(store, history.attached_content, DATABASE).sweep() == 1
