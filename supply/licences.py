"""Licences: those that installed packages declare, and those that are accepted."""

from __future__ import annotations

import re
from importlib.metadata import Distribution
from typing import Final

ACCEPTED: Final = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0"),
        *("MIT-CMU", "PSF-2.0", "Unlicense", "Zlib"),
        # Of the whole package, used unchanged: our code does not become subject to it.
        *("LGPL-3.0-only", "MPL-2.0"),
    }
)
"""By SPDX identifier."""

LOOKED_AT: Final = {
    "livekit-local-inference": "Apache-2.0 AND LicenseRef-LiveKit-Model",
}
"""Packages whose metadata is incomplete or contradictory; somebody has read their licences."""

READ: Final = {
    "LicenseRef-LiveKit-Model": "the turn detector's weights, for use with LiveKit Agents alone",
}
"""Licences of no SPDX identifier that are accepted, and what they ask."""

_OF_CLASSIFIERS: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_OPERATORS: Final = re.compile(r"\s+(AND|OR)\s+")


def licence_of(package: Distribution) -> str:
    """An SPDX expression, or the metadata's own words where there is none."""
    name = package.metadata["Name"].lower()
    if name in LOOKED_AT:
        return LOOKED_AT[name]
    if expression := _first(package, "License-Expression"):
        return expression
    classifiers = package.metadata.get_all("Classifier") or []
    named = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    text = _first(package, "License").partition("\n")[0].strip()
    named = named or ([text] if text else [])
    return " AND ".join(_OF_CLASSIFIERS.get(str(each), str(each)) for each in named)


def _first(package: Distribution, field: str) -> str:
    return next((str(each) for each in package.metadata.get_all(field) or ()), "")


def is_accepted(expression: str) -> bool:
    """Whether an expression is accepted: one part of `OR` is enough, `AND` needs all."""
    if not expression:
        return False
    parts = _OPERATORS.split(expression.replace("(", " ").replace(")", " ").strip())
    operators = set(parts[1::2])
    accepted = [each.strip() in ACCEPTED or each.strip() in READ for each in parts[::2]]
    return any(accepted) if operators == {"OR"} else all(accepted)
