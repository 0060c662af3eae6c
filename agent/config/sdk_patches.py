"""The names of the worker's patches of LiveKit's SDKs, and the setting that selects them."""

from __future__ import annotations

from typing import Final

PATCHES: Final = (
    "blocks",
    "events",
    "jobs",
    "load",
    "log",
    "sending",
    "sockets",
    "tokens",
)
"""agent/sdk/ has one file for each; docs/configuration.md says what they do."""


def check_patches(value: str) -> str:
    """Raises ValueError unless it is `on`, `off`, or names of patches."""
    selected_patches(value)
    return value


def selected_patches(value: str) -> frozenset[str]:
    """The patches that a value of SDK_PATCHES selects: all, none, or those that it names.

    Raises:
        ValueError: there is no patch of that name.
    """
    if value == "on":
        return frozenset(PATCHES)
    if value == "off":
        return frozenset()
    names = frozenset(name.strip() for name in value.split(","))
    if unknown := sorted(names - frozenset(PATCHES)):
        known = ", ".join(PATCHES)
        raise ValueError(f"on, off or some of {known}; unknown: {', '.join(unknown)}")
    return names
