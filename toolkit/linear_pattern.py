"""LinearPattern: somebody else's pattern, matched in time that is linear in the text."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

MAX_PATTERN: Final = 1_000
"""Characters of a pattern."""


class LinearPattern:
    """Rust's `regex`, which pydantic has: it does not backtrack, so no text keeps it busy, and it
    refuses patterns that would take much memory. It has no lookarounds and no backreferences.
    """

    __slots__ = ("_validator",)

    def __init__(self, pattern: str) -> None:
        """Raises ValueError for a pattern that this engine cannot use."""
        if len(pattern) > MAX_PATTERN:
            raise ValueError(f"a pattern has at most {MAX_PATTERN} characters")
        try:
            self._validator = SchemaValidator(
                core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
            )
        except SchemaError:
            raise ValueError("not a pattern of linear time") from None

    def is_in(self, text: str) -> bool:
        """Whether the pattern matches somewhere in the text."""
        try:
            return self._validator.isinstance_python(text)
        except UnicodeEncodeError:  # Half of a surrogate pair.
            return False


@lru_cache(maxsize=1_024)
def linear_pattern(pattern: str) -> LinearPattern | None:
    """The pattern; None if this engine cannot use it."""
    try:
        return LinearPattern(pattern)
    except ValueError:
        return None
