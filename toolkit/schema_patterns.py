"""Patterns in a JSON schema: they are JavaScript's, and Python cannot read all of them."""

import re
from collections.abc import Mapping
from typing import cast

from toolkit.schema_keywords import replace_schemas


def without_foreign_patterns(schema: Mapping[str, object]) -> dict[str, object]:
    r"""The schema without patterns that Python cannot compile, such as `^\p{L}+$`.

    Only whoever wrote the schema can check these, and does when it gets the arguments.

    Raises:
        ValueError: such a pattern is a key of `patternProperties`, which cannot be left out.
    """

    def inner(value: object) -> object:
        if isinstance(value, Mapping):
            return without_foreign_patterns(cast("Mapping[str, object]", value))
        return value

    named = schema.get("patternProperties")
    if isinstance(named, Mapping):
        for pattern in cast("Mapping[str, object]", named):
            if not _compiles(pattern):
                raise ValueError("patternProperties has a pattern that Python cannot read")
    return {
        name: replace_schemas(name, value, inner)
        for name, value in schema.items()
        if name != "pattern" or not isinstance(value, str) or _compiles(value)
    }


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True
