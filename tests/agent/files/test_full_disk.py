"""A full disk, and a full store, are refusals; nothing else is lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from agent.files.file_quota import FileQuota
from agent.files.outgoing import FileMaker
from agent.files.store import FileStore
from agent.files.type_detection import TypeDetection
from agent.wire.refusal import Refusal
from tests.agent.files.test_store import keep
from toolkit.errors import StorageFull
from toolkit.file import File

MEGABYTE = 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk))
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: S603
        pytest.skip("only root may mount a small file system, and not in every container")
    yield disk
    subprocess.run(("umount", str(disk)), check=True)  # noqa: S603, S607 - root's own system


@pytest.fixture
async def store(small_disk: Path) -> AsyncGenerator[FileStore]:
    store = FileStore(small_disk, max_bytes=100 * MEGABYTE)
    await store.open()
    yield store
    await store.aclose()


async def test_a_full_disk_is_refused_with_507_and_leaves_nothing(store: FileStore) -> None:
    before = await keep(store, b"before")
    for size in (2 * MEGABYTE, MEGABYTE + 100_000):
        with pytest.raises(Refusal) as refused:
            await keep(store, *[b"x" * 10_000] * (size // 10_000))
        assert refused.value.code == 507
        assert refused.value.retry_after
    assert not list((store.directory / "incoming").iterdir())
    # Former files are still there, and a file that fits is accepted again.
    assert await store.read(before, 100) == b"before"
    after = await keep(store, os.urandom(MEGABYTE // 2))
    assert store.path(after).stat().st_size == MEGABYTE // 2
    assert await store.run(store.usage.read) == len(b"before") + MEGABYTE // 2


async def test_the_rest_of_a_file_is_refused_as_its_beginning_is(store: FileStore) -> None:
    file = store.receive()
    for _ in range(200):
        file.write(b"x" * 10_000)
    await file.drain()
    with pytest.raises(Refusal) as refused:
        file.write(b"more")
    assert refused.value.code == 507
    await file.discard()
    await file.discard()


def unlimited() -> FileQuota:
    async def nothing() -> dict[str, int]:
        return {}

    return FileQuota(nothing, agent="agent", room_bytes=0, participant_bytes=0)


async def test_a_file_of_a_tool_on_a_full_disk_is_an_error_that_says_so(store: FileStore) -> None:
    types = TypeDetection()
    maker = FileMaker(store, types, max_bytes=10 * MEGABYTE)
    big = File("big.bin", b"x" * (2 * MEGABYTE))
    use = await unlimited().open("agent", None)
    for made in (maker.make(big), maker.keep(big, use)):
        with pytest.raises(StorageFull, match="is full"):
            await made
    assert not list((store.directory / "incoming").iterdir())
    made = await maker.keep(File("note.txt", b"a note"), use)
    use.close()
    assert made.path.read_bytes() == b"a note"
    types.close()


async def test_processes_that_share_a_directory_share_its_limit(tmp_path: Path) -> None:
    stores = [FileStore(tmp_path, max_bytes=1_000_000) for _ in range(3)]
    for each in stores:
        await each.open()
    kept = await asyncio.gather(
        *(keep(stores[n % 3], os.urandom(90_000)) for n in range(30)), return_exceptions=True
    )
    refused = [each for each in kept if isinstance(each, Refusal)]
    assert len(refused) == 30 - 11
    assert {each.code for each in refused} == {507}
    assert await stores[0].run(stores[0].usage.read) == 11 * 90_000
    # A process that starts counts what is there, whatever the file said.
    (tmp_path / "usage").write_bytes(b"")
    again = FileStore(tmp_path, max_bytes=1_000_000)
    await again.open()
    assert await again.run(again.usage.read) == 11 * 90_000
    for each in (*stores, again):
        await each.aclose()


async def test_a_directory_that_becomes_usable_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.files.store.RETRY_AFTER", 0.0)
    (tmp_path / "file").touch()
    store = FileStore(tmp_path / "file", max_bytes=1_000)
    await store.open()
    (tmp_path / "file").unlink()
    opened = asyncio.Event()
    store_open = store.open

    async def open_again() -> None:
        await store_open()
        opened.set()

    monkeypatch.setattr(store, "open", open_again)
    with pytest.raises(Refusal) as refused:
        store.receive()
    assert refused.value.code == 503
    async with asyncio.timeout(20):
        await opened.wait()
    await keep(store, b"now")
    await store.aclose()
