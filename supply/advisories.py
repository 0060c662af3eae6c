"""Known vulnerabilities of locked packages, by pip-audit."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

DATABASES: Final = ("pypi", "osv")
"""In this order: the first that knows every package counts."""
TIMEOUT: Final = 300.0


class NoDatabaseError(Exception):
    """No advisory database answered: that says nothing about vulnerabilities."""


@dataclass(frozen=True, slots=True)
class Advisory:
    """A vulnerability of a package, with the versions that have it no longer."""

    package: str
    version: str
    id: str
    fixed_in: tuple[str, ...] = field(default=())


def advisories(pip_audit: Path, locks: Sequence[Path]) -> list[Advisory]:
    """The vulnerabilities of the packages in these locks.

    Raises:
        NoDatabaseError: no database could be asked about all of it.
    """
    found = {each for lock in locks for each in _of_lock(pip_audit, lock)}
    return sorted(found, key=lambda advisory: (advisory.package, advisory.id))


def _of_lock(pip_audit: Path, lock: Path) -> list[Advisory]:
    reasons: list[str] = []
    for database in DATABASES:
        finished = subprocess.run(  # noqa: S603 - the program that `make audit` installed
            [
                *(str(pip_audit), "--requirement", str(lock), "--require-hashes", "--disable-pip"),
                *("--progress-spinner", "off", "--format", "json"),
                *("--vulnerability-service", database),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        try:
            return _read(finished.stdout)
        except NoDatabaseError as error:
            said = finished.stderr.strip().splitlines()
            reasons.append(f"{database}: {str(error) or (said[-1] if said else 'no answer')}")
    raise NoDatabaseError("\n".join(reasons))


def _read(output: str) -> list[Advisory]:
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        raise NoDatabaseError from None
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    if unknown or not packages:
        raise NoDatabaseError(f"it does not know {len(unknown)} of {len(packages)} packages")
    return [
        Advisory(each["name"], each["version"], found["id"], tuple(found["fix_versions"]))
        for each in packages
        for found in each["vulns"]
    ]
