"""The software bill of materials, in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import Distribution
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply.licences import ACCEPTED, licence_of

VERSION: Final = "1.6"


def bill(name: str, version: str, packages: Mapping[str, Distribution]) -> dict[str, Any]:
    """The bill of an application.

    Args:
        packages: what is installed with it, by canonical name.
    """
    own = f"pkg:pypi/{name}@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": VERSION,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": name,
                "version": version,
                "purl": own,
            }
        },
        "components": [_component(each, packages[each]) for each in sorted(packages)],
        "dependencies": [
            {"ref": own, "dependsOn": sorted(_purl(n, p) for n, p in packages.items())},
            *(
                {"ref": _purl(each, packages[each]), "dependsOn": _needed(packages[each], packages)}
                for each in sorted(packages)
            ),
        ],
    }


def _purl(name: str, package: Distribution) -> str:
    return f"pkg:pypi/{name}@{package.version}"


def _component(name: str, package: Distribution) -> dict[str, Any]:
    purl = _purl(name, package)
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": package.version,
        "purl": purl,
    }
    licence = licence_of(package)
    if licence in ACCEPTED:
        component["licenses"] = [{"license": {"id": licence}}]
    elif licence:
        component["licenses"] = [{"expression": licence}]
    return component


def _needed(package: Distribution, packages: Mapping[str, Distribution]) -> Sequence[str]:
    """Its dependencies without extras, as far as they are installed."""
    needed: set[str] = set()
    for text in package.requires or ():
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if name in packages:
            needed.add(_purl(name, packages[name]))
    return sorted(needed)
