"""Files on disk: once for each content, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from agent.files import store as store_module
from agent.files.store import FileStore
from agent.wire.refusal import Refusal

T = TypeVar("T")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[FileStore]:
    store = FileStore(tmp_path / "files", max_bytes=10_000_000)
    await store.open()
    yield store
    await store.aclose()


def on_disk(store: FileStore) -> list[Path]:
    files = (each for each in store.directory.rglob("*") if each.is_file())
    return [each for each in files if each.name != "usage"]


async def keep(store: FileStore, *pieces: bytes) -> str:
    file = store.receive()
    for piece in pieces:
        file.write(piece)
    try:
        return await file.keep()
    finally:
        await file.discard()


@pytest.mark.parametrize("size", [0, 1, 15_000, 15_001, 3_000_000])
async def test_stored_messages_equal_received_ones(store: FileStore, size: int) -> None:
    content = os.urandom(size)
    sha256 = await keep(store, *(content[i : i + 15_000] for i in range(0, size, 15_000)))
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert store.path(sha256).read_bytes() == content
    assert await store.read(sha256, 10) == content[:10]
    assert on_disk(store) == [store.path(sha256)]
    assert store.path(sha256).stat().st_mode & 0o077 == 0


async def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    store = FileStore(tmp_path, max_bytes=2_500)
    await store.open()
    for _ in range(5):
        await keep(store, b"x" * 1_000)
    assert len(on_disk(store)) == 1
    await store.aclose()


async def test_discarding_leaves_nothing(store: FileStore) -> None:
    file = store.receive()
    for _ in range(100):
        file.write(b"x" * 15_000)
    await file.discard()
    await file.discard()
    assert on_disk(store) == []


async def test_a_full_store_refuses_and_takes_again_what_was_given_up(tmp_path: Path) -> None:
    store = FileStore(tmp_path, max_bytes=1_000)
    await store.open()
    file = store.receive()
    file.write(b"x" * 900)
    with pytest.raises(Refusal) as refused:
        file.write(b"x" * 200)
    assert refused.value.code == 507
    await file.discard()
    await keep(store, b"y" * 1_000)
    await store.aclose()

    again = FileStore(tmp_path, max_bytes=1_000)
    await again.open()
    with pytest.raises(Refusal):
        again.receive().write(b"z")
    await again.aclose()


async def test_a_disk_that_is_slower_than_the_network_does_not_fill_the_memory(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_WAITING_BYTES", 1_000_000)
    file, other = store.receive(), store.receive()
    # Nothing is written while the loop is not given up.
    for _ in range(66):
        file.write(b"x" * 15_000)
    with pytest.raises(Refusal) as refused:
        other.write(b"x" * 15_000)
    assert refused.value.code == 503
    await file.keep()
    other.write(b"x" * 15_000)
    await other.keep()


async def test_a_broken_disk_is_a_refusal(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.run

    async def fail(work: Callable[[], T]) -> T:
        await run(lambda: None)
        raise OSError(errno.EIO, "Input/output error")

    file = store.receive()
    file.write(b"x")
    monkeypatch.setattr(store, "run", fail)
    with pytest.raises(Refusal) as refused:
        await file.keep()
    assert refused.value.code == 503
    monkeypatch.undo()
    await file.discard()
    assert on_disk(store) == []


async def test_leftovers_are_removed_at_the_start_but_not_those_of_a_worker_at_work(
    tmp_path: Path,
) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    for name, age in (("old.part", 7_200), ("new.part", 60)):
        (incoming / name).write_bytes(b"half")
        then = time.time() - age
        os.utime(incoming / name, (then, then))
    store = FileStore(tmp_path, max_bytes=1_000)
    await store.open()
    assert [each.name for each in incoming.iterdir()] == ["new.part"]
    await store.aclose()


async def test_without_a_directory_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FileStore(tmp_path / "file" / "attachments", max_bytes=1_000)
    await store.open()
    with pytest.raises(Refusal) as refused:
        store.receive()
    assert refused.value.code == 503
    await store.aclose()
