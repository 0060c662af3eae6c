"""100 MB in, into a worker in a process of its own, whose memory is looked at."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from pathlib import Path

import pytest

from devserver.model import DemoModel
from tests.agent.chat_client import ChatClient
from tests.agent.worker_process import join_with, start_for, until_it_says
from tests.room_server import RoomServerUnderTest

SIZE = 100_000_000
ALLOWED_GROWTH = 20_000_000
NAME = "large-files"


class Memory:
    """The memory of a process: now, and at most since `reset` (man 5 proc)."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._clear = Path(f"/proc/{pid}/clear_refs")

    def reset(self) -> int:
        self._clear.write_text("5")
        return self._read("VmRSS")

    @property
    def peak(self) -> int:
        return self._read("VmHWM")

    def _read(self, name: str) -> int:
        lines = self._status.read_text().splitlines()
        return next(1_024 * int(line.split()[1]) for line in lines if line.startswith(name))


def write_large(path: Path) -> str:
    """A text of SIZE bytes; returns its hash. The SDK's client sends it compressed, a sixteenth of
    it, as it does with every file that it can: it takes seconds, uncompressed it takes 45."""
    line = b"." * 900
    content = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(SIZE // 1_000):
            piece = os.urandom(49).hex().encode() + b"\r\n" + line
            file.write(piece)
            content.update(piece)
    return content.hexdigest()


@pytest.mark.lengthy
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
async def test_100_mb_are_stored_with_bounded_memory(
    room_server: RoomServerUnderTest, room_name: str, model: DemoModel, tmp_path: Path
) -> None:
    worker = await start_for(room_server, model, tmp_path, NAME, DRAIN_TIMEOUT="1")
    try:
        await until_it_says(worker, "registered worker")
        client = ChatClient()
        await join_with(client, room_server, room_name, NAME)
        # The first use of everything takes memory that is not the files'.
        await client.me.send_bytes(b"small" * 100_000, topic="files", name="small")
        await client.notice("file.received", name="small")

        sha256 = await asyncio.to_thread(write_large, tmp_path / "large.txt")
        memory = Memory(worker.pid)
        before = memory.reset()
        info = await client.me.send_file(str(tmp_path / "large.txt"), topic="files")
        async with asyncio.timeout(40):
            notice = await client.notice("file.received", streamId=info.stream_id)
        assert (notice["size"], notice["sha256"]) == (SIZE, sha256)
        answer = await client.ask("What is in it?", attachments=info.stream_id)
        assert answer.finish_reason == "stop"
        assert "large.txt" in model.requests[-1].chat.messages[-1].text
        assert memory.peak - before < ALLOWED_GROWTH
        kept = tmp_path / "data" / "attachments" / sha256[:2] / sha256
        assert kept.stat().st_size == SIZE
        await client.room.disconnect()
    finally:
        worker.send_signal(signal.SIGTERM)
        await worker.communicate()
