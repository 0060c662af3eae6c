"""Rooms are claimed among the processes of a machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.host.claims import Claims, claims_file

CLAIM = """
import sys
from pathlib import Path
from agent.host.claims import Claims
print(Claims(Path(sys.argv[1])).take("RM_1"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return claims_file({"XDG_RUNTIME_DIR": str(tmp_path)}, "agent")


def test_one_of_two_has_a_room_until_it_gives_it_back(file: Path) -> None:
    one, other = Claims(file), Claims(file)
    assert one.take("RM_1")
    assert not other.take("RM_1")
    assert other.take("RM_2")
    other.release("RM_1")
    assert not other.take("RM_1")
    one.release("RM_1")
    assert other.take("RM_1")
    other.close()
    assert one.take("RM_2")
    one.close()


def test_a_process_that_is_killed_leaves_no_claim(file: Path) -> None:
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", CLAIM, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        mine = Claims(file)
        assert not mine.take("RM_1")
        process.kill()
        process.wait()
        assert mine.take("RM_1")
        mine.close()


def test_without_a_file_rooms_are_joined_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for file in (link, tmp_path / "nothing" / "here"):
        claims = Claims(file)
        assert claims.take("RM_1")
        claims.release("RM_1")
    assert caplog.text.count("claiming a room failed") == 2
    assert not os.path.lexists(tmp_path / "elsewhere")
