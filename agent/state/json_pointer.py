"""JSON pointers: paths into a JSON document (RFC 6901)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, cast

_TOKEN: Final = re.compile(r"(?:[^~]|~[01])*")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")


class PointerError(ValueError):
    """The pointer is invalid, or points to nothing; the message says which."""


def parse(pointer: str) -> list[str]:
    """The reference tokens of a pointer; none for the whole document. Raises PointerError."""
    if not pointer:
        return []
    first, *tokens = pointer.split("/")
    if first:
        raise PointerError("a path must be empty or begin with /")
    for token in tokens:
        if not _TOKEN.fullmatch(token):
            raise PointerError("in a path, ~ must be followed by 0 or 1")
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def value_at(document: object, tokens: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON
    """The value at the path. Raises PointerError."""
    value: Any = document
    for token in tokens:
        if isinstance(value, list):
            array = cast("list[Any]", value)
            value = array[index_in(array, token)]
        elif isinstance(value, dict) and token in value:
            value = cast("dict[str, Any]", value)[token]
        else:
            raise PointerError("the path does not exist")
    return value


def index_in(array: Sequence[object], token: str, *, inserting: bool = False) -> int:
    """The place in an array that a token names; `-` is the one behind the last.

    Args:
        inserting: the place behind the last is allowed.

    Raises:
        PointerError: there is no such place.
    """
    end = len(array) if inserting else len(array) - 1
    if token == "-" and inserting:  # noqa: S105 - no password
        return end
    if not _INDEX.fullmatch(token):
        raise PointerError("an array index must be a number")
    index = int(token)
    if index > end:
        raise PointerError("the array has no such index")
    return index
