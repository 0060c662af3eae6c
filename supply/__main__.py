"""`make audit`: licences, an SBOM, and advisories; exit status 1 if there are findings.

Status 3: licences and SBOM are fine, and no advisory database could be asked.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from supply.advisories import NoDatabaseError, advisories
from supply.licences import READ, is_accepted, licence_of
from supply.lock import read_lock
from supply.sbom import VERSION, bill

ROOT: Final = Path(__file__).parent.parent
FOUND: Final = 1
UNKNOWN: Final = 3

_VALIDATE: Final = f"""
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
validator = JsonStrictValidator(SchemaVersion.V{VERSION.replace(".", "_")})
problem = validator.validate_str(sys.stdin.read())
sys.exit(f"the SBOM is not valid: {{problem}}" if problem else 0)
"""


def installed(lock: Path) -> dict[str, Distribution]:
    """The packages of a lock that are for this machine, as they are installed; by name.

    Raises:
        LookupError: one is not installed, or in another version.
    """
    packages: dict[str, Distribution] = {}
    for locked in read_lock(lock):
        if not locked.is_for_this_machine:
            continue
        try:
            package = distribution(locked.name)
        except PackageNotFoundError:
            raise LookupError(f"{locked.name} is not installed: make setup") from None
        if package.version != locked.version:
            raise LookupError(f"{locked.name} is {package.version}, not {locked.version}")
        packages[locked.name] = package
    return packages


def main() -> int:
    parser = argparse.ArgumentParser(prog="supply", description=__doc__)
    parser.add_argument("--sbom", type=Path, default=ROOT / "sbom.cdx.json")
    parser.add_argument("--tools", type=Path, required=True, help="bin/ with pip-audit")
    given = parser.parse_args()

    packages = installed(ROOT / "requirements.lock")
    refused = {
        name: licence
        for name, package in packages.items()
        if not is_accepted(licence := licence_of(package))
    }
    for name, licence in refused.items():
        print(f"licence: {name}: {licence or 'none named'}: not in supply/licences.py")
    print(f"licences: {len(packages)} packages, {len(refused)} not accepted")
    for licence, asks in READ.items():
        print(f"licences: {licence}: {asks}")

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = json.dumps(bill(project["name"], project["version"], packages), indent=1)
    subprocess.run(  # noqa: S603 - the tools that `make audit` installed
        [str(given.tools / "python"), "-c", _VALIDATE], input=text, text=True, check=True
    )
    given.sbom.write_text(text + "\n")
    print(f"SBOM: {given.sbom}, CycloneDX {VERSION}, {len(packages)} components")

    # The development environment has all packages of the worker, and uv.
    locks = [ROOT / f"requirements-{each}.lock" for each in ("dev", "audit", "deploy")]
    try:
        found = advisories(given.tools / "pip-audit", locks)
    except NoDatabaseError as error:
        print(
            "advisories: NOT CHECKED: no advisory database can be reached from here\n" + str(error),
            file=sys.stderr,
        )
        return FOUND if refused else UNKNOWN
    for each in found:
        fix = " or ".join(each.fixed_in) or "no version yet"
        print(f"advisory: {each.package} {each.version}: {each.id}, fixed in {fix}")
    print(f"advisories: {len(found)}")
    return FOUND if refused or found else 0


if __name__ == "__main__":
    sys.exit(main())
