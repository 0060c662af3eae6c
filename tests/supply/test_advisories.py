"""The findings of pip-audit: the silence of a database is not a clean result."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from supply.advisories import Advisory, NoDatabaseError, advisories
from supply.sbom import bill

FAKE = """#!{python}
import json, sys
answers = json.loads({answers!r})
answer = answers[sys.argv[-1]]
if answer is None:
    sys.exit("cannot connect")
print(json.dumps({{"dependencies": answer, "fixes": []}}))
sys.exit(any(each.get("vulns") for each in answer))
"""

CLEAN: dict[str, Any] = {"name": "a", "version": "1", "vulns": []}
SKIPPED: dict[str, Any] = {
    "name": "b",
    "skip_reason": "Dependency not found on PyPI and could not be audited",
}
BROKEN: dict[str, Any] = {
    "name": "c",
    "version": "2",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}],
}

Fake = Callable[..., Path]


@pytest.fixture
def pip_audit(tmp_path: Path) -> Fake:
    """A pip-audit that answers so for each database; None: it cannot be reached."""

    def make(**answers: list[dict[str, Any]] | None) -> Path:
        program = tmp_path / "pip-audit"
        program.write_text(FAKE.format(python=sys.executable, answers=json.dumps(answers)))
        program.chmod(0o755)
        return program

    return make


def test_nothing_known_is_nothing_found(pip_audit: Fake) -> None:
    assert advisories(pip_audit(pypi=[CLEAN]), [Path("x.lock")]) == []


def test_vulnerabilities_are_named_once(pip_audit: Fake) -> None:
    found = advisories(pip_audit(pypi=[CLEAN, BROKEN, BROKEN]), [Path("x.lock")])
    assert found == [Advisory("c", "2", "PYSEC-1", ("2.1",))]


def test_the_other_database_is_asked_where_the_first_knows_too_little(pip_audit: Fake) -> None:
    program = pip_audit(pypi=[CLEAN, SKIPPED], osv=[CLEAN, BROKEN])
    assert [each.id for each in advisories(program, [Path("x.lock")])] == ["PYSEC-1"]


@pytest.mark.parametrize("pypi", [None, [], [SKIPPED], [CLEAN, SKIPPED]], ids=str)
def test_a_missing_database_is_reported_without_a_clean_result(
    pip_audit: Fake, pypi: list[dict[str, Any]] | None
) -> None:
    with pytest.raises(NoDatabaseError) as raised:
        advisories(pip_audit(pypi=pypi, osv=None), [Path("x.lock")])
    assert "osv: cannot connect" in str(raised.value)


def test_the_sbom_names_packages_licences_and_dependencies() -> None:
    packages = {name: distribution(name) for name in ("aiohttp", "yarl", "idna")}
    made = bill("worker", "1.0", packages)
    purls = {each["name"]: each["purl"] for each in made["components"]}
    assert purls["yarl"] == f"pkg:pypi/yarl@{packages['yarl'].version}"
    needs = {each["ref"]: each["dependsOn"] for each in made["dependencies"]}
    assert needs["pkg:pypi/worker@1.0"] == sorted(purls.values())
    assert needs[purls["aiohttp"]] == [purls["yarl"]]
    assert needs[purls["yarl"]] == [purls["idna"]]
    (yarl,) = (each for each in made["components"] if each["name"] == "yarl")
    assert yarl["licenses"] == [{"license": {"id": "Apache-2.0"}}]
