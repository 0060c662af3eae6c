from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent.cli.command import CommandError
from agent.cli.dev_record import DevRecord, DevRecordFile

RECORD = DevRecord(
    pid=1,
    url="ws://127.0.0.1:7880",
    api_key="key",
    api_secret="secret",  # noqa: S106 - none
    agent_name="",
    agent_identity="agent",
    reply_topic="llm-response",
    model_url="http://127.0.0.1:1/v1",
    model="demo",
    has_key=False,
)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(tmp_path)}


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_others_read_it_while_it_is_held(environ: dict[str, str], tmp_path: Path) -> None:
    file = DevRecordFile(environ)
    assert DevRecordFile(environ).read() is None
    file.take()
    assert DevRecordFile(environ).read() is None  # still starting
    file.write(RECORD)
    assert DevRecordFile(environ).read() == RECORD
    assert DevRecordFile(environ, checkout=tmp_path).read() is None  # another checkout's
    file.release()
    assert DevRecordFile(environ).read() is None


def test_only_its_user_can_read_it(environ: dict[str, str], tmp_path: Path) -> None:
    file = DevRecordFile(environ)
    file.take()
    [path] = files(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    file.release()
    assert path.read_text() == ""  # no secret stays behind


def test_one_holder_at_a_time(environ: dict[str, str]) -> None:
    first, second = DevRecordFile(environ), DevRecordFile(environ)
    first.take()
    with pytest.raises(BlockingIOError):
        second.take()
    first.release()
    second.take()
    second.release()


def test_the_record_of_a_killed_process_is_stale(environ: dict[str, str], tmp_path: Path) -> None:
    file = DevRecordFile(environ)
    file.take()
    file.write(RECORD)
    [path] = files(tmp_path)
    content = path.read_text()
    file.release()
    path.write_text(content)
    assert DevRecordFile(environ).read() is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "\0" * 100])
def test_garbage_is_no_record(environ: dict[str, str], tmp_path: Path, content: str) -> None:
    file = DevRecordFile(environ)
    file.take()
    [path] = files(tmp_path)
    path.write_text(content)
    assert DevRecordFile(environ).read() is None
    file.release()


def test_a_directory_that_others_may_write_to_is_refused(
    environ: dict[str, str], tmp_path: Path
) -> None:
    directory = tmp_path / f"livekit-room-agent-{os.getuid()}"
    directory.mkdir()
    directory.chmod(0o777)
    for use in (DevRecordFile(environ).take, DevRecordFile(environ).read):
        with pytest.raises(CommandError, match="open to other users"):
            use()
