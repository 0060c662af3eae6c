"""How many cases each entrance gets: 2,000 in all, or as many as FUZZ_CASES says."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings

CASES: Final = int(os.environ.get("FUZZ_CASES", "2000"))
IS_LONG: Final = "FUZZ_CASES" in os.environ

SHARES: Final[Mapping[str, float]] = {
    "packets that are read": 9,
    "metadata": 6,
    "MCP results": 8,
    "MCP tools": 6,
    "methods of clients": 6,
    "payloads": 8,
    "schemas and patterns": 4,
    "types of files": 8,
    "names of files": 4,
    "texts of files": 4,
    "model streams": 9,
    "packets": 7,
    "text streams": 3,
    "byte streams": 2,
    "RPC calls": 5,
    "attributes": 1,
    "signalling v1": 2,
    "signalling v0": 2,
    "Twirp": 3,
    "data channels": 2,
    "media ports": 1,
}
"""Percent."""


def cases(
    entrance: str,
) -> Callable[[Callable[..., Coroutine[Any, Any, None] | None]], Any]:
    """The settings of a test of one entrance; below `@given`.

    The same cases each time in `make test`, others in each `make fuzz`.
    """
    return settings(
        max_examples=max(round(CASES * SHARES[entrance] / 100), 1),
        deadline=None,
        database=None,
        derandomize=not IS_LONG,
        # Inputs to rooms are not minimised: each costs a round trip.
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
            HealthCheck.large_base_example,
            HealthCheck.function_scoped_fixture,
        ],
    )
