"""Patches: selects the parts of LiveKit's SDKs that the worker replaces.

A patch is applied if it is selected (SDK_PATCHES) and if the SDK has the shapes that the patch
needs. Otherwise the SDK's own way stays in place, and one warning names the patch. Docs:
docs/adr/0050-patches-step-back.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from agent.config.sdk_patches import PATCHES

if TYPE_CHECKING:
    from google.protobuf.message import Message

logger = logging.getLogger(__name__)


class Patches:
    """The selected patches of this process, and those that were reported as not applied."""

    def __init__(self) -> None:
        self._selected = frozenset(PATCHES)
        self._reported: set[str] = set()

    def select(self, names: Iterable[str]) -> None:
        """Selects the patches to apply from now on. Installed ones stay."""
        self._selected = frozenset(names)

    def applies(self, name: str, *, fits: bool, instead: str) -> bool:
        """Whether to apply a patch.

        Args:
            fits: whether the SDK has the shapes that the patch needs.
            instead: the behaviour without it, for the log.
        """
        if name not in self._selected:
            return False
        if not fits:
            self._report(name, f"patch {name!r} does not fit this LiveKit SDK; {instead}")
        return fits

    def found(self, feature: str, *, fits: bool, instead: str) -> bool:
        """Whether the SDK has the private parts of a feature that no public API offers.

        Such features do not depend on SDK_PATCHES. Arguments as for `applies`.
        """
        if not fits:
            self._report(feature, f"this LiveKit SDK does not offer {feature}; {instead}")
        return fits

    def _report(self, name: str, text: str) -> None:
        if name not in self._reported:
            self._reported.add(name)
            logger.warning("%s", text)


PROCESS: Final = Patches()
"""The patches of this process, since the SDKs' state is per process."""


def has_fields(message: Message, *names: str) -> bool:
    """Whether a protobuf message has all of these fields."""
    return set(names) <= set(message.DESCRIPTOR.fields_by_name)


def has_attributes(owner: object, *names: str) -> bool:
    """Whether an object, a class or a module has all of these attributes."""
    return all(hasattr(owner, name) for name in names)


def mentions(function: object, *names: str) -> bool:
    """Whether a function's own code reads or sets all of these attributes."""
    code = getattr(function, "__code__", None)
    return code is not None and set(names) <= set(code.co_names)
