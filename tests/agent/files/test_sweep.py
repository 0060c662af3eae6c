"""Files that no message refers to go to quarantine; everything else stays."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.files.store import FileStore
from agent.files.sweep import GRACE, Sweep, Swept
from agent.history.history import History
from agent.history.message import Attachment
from agent.history.open_history import open_history
from agent.testing.history_samples import asked
from tests.agent.files.test_store import keep

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


def sweep_of(
    store: FileStore, history: History, *, database: str = DATABASE, days: float = 14
) -> Sweep:
    return Sweep(store, history.attached_content, database, quarantine_days=days)


async def refer_to(history: History, number: int, sha256: str) -> None:
    file = Attachment(f"file_{number}", "a.txt", "text/plain", 4, sha256)
    await history.add_message(replace(asked(str(number)), attachments=(file,)))


def in_quarantine(store: FileStore) -> set[str]:
    return {path.name for path, _ in store.quarantine.files()}


def age_quarantine(store: FileStore, days: float) -> None:
    then = time.time() - days * 86_400
    for path, _ in store.quarantine.files():
        os.utime(path, (then, then))


async def test_unreferenced_files_go_to_quarantine_and_are_deleted_later(
    store: FileStore, history: History
) -> None:
    used = await keep_old(store, b"used")
    deleted = await keep_old(store, b"deleted")
    fresh = await keep(store, b"fresh")
    sweep = sweep_of(store, history)
    for number, sha256 in enumerate((used, deleted)):
        await refer_to(history, number, sha256)
    assert await sweep.sweep() == Swept()

    await history.delete_message(asked("1").key, asker="ann")

    assert await sweep.sweep() == Swept(quarantined=1)
    assert [store.path(each).exists() for each in (used, deleted, fresh)] == [True, False, True]
    assert in_quarantine(store) == {deleted}
    age_quarantine(store, 13.9)
    assert await sweep.sweep() == Swept()
    age_quarantine(store, 14)
    assert await sweep.sweep() == Swept(deleted=1)
    await keep(store, b"x" * (1_000 - len(b"used" + b"fresh")))


async def test_a_restored_database_gets_its_files_back(store: FileStore, history: History) -> None:
    contents = {await keep_old(store, content): content for content in (b"one", b"two", b"three")}
    sweep = sweep_of(store, history)
    # The database was lost: it knows none of them.
    assert await sweep.sweep() == Swept(quarantined=3)
    age_quarantine(store, 20)
    for number, sha256 in enumerate(contents):
        await refer_to(history, number, sha256)
    # Somebody asks for one before the next sweep.
    first = next(iter(contents))
    assert await store.read(first, 100) == contents[first]
    assert await sweep.sweep() == Swept(put_back=2)
    for sha256, content in contents.items():
        assert store.path(sha256).read_bytes() == content
    assert await sweep.sweep() == Swept()


async def test_content_that_comes_again_leaves_quarantine(
    store: FileStore, history: History
) -> None:
    sha256 = await keep_old(store, b"again")
    assert await sweep_of(store, history).sweep() == Swept(quarantined=1)
    assert await keep(store, b"again") == sha256
    assert store.path(sha256).read_bytes() == b"again"
    assert in_quarantine(store) == set()
    await keep(store, b"x" * (1_000 - len(b"again")))


async def test_without_days_in_quarantine_files_are_deleted_at_once(
    store: FileStore, history: History
) -> None:
    await keep_old(store, b"gone")
    assert await sweep_of(store, history, days=0).sweep() == Swept(quarantined=1, deleted=1)
    assert in_quarantine(store) == set()


async def test_another_database_decides_nothing(store: FileStore, history: History) -> None:
    assert await sweep_of(store, history).sweep() == Swept()
    await keep_old(store, b"of the first database")
    assert await sweep_of(store, history, database="sqlite:///b.db").sweep() == Swept()
    assert await sweep_of(store, history).sweep() == Swept(quarantined=1)
