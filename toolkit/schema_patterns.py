"""Patterns in a JSON schema: they are JavaScript's, and the engine here cannot use all of them."""

from collections.abc import Mapping
from typing import cast

from toolkit.linear_pattern import linear_pattern
from toolkit.schema_keywords import replace_schemas


def without_foreign_patterns(schema: Mapping[str, object]) -> dict[str, object]:
    """The schema without patterns that take more than linear time, such as `^(?=.*a)`.

    Only the schema's author can check these, on receiving the arguments.

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
            if linear_pattern(pattern) is None:
                raise ValueError("patternProperties has a pattern that cannot be used here")
    return {
        name: replace_schemas(name, value, inner)
        for name, value in schema.items()
        if name != "pattern" or not isinstance(value, str) or linear_pattern(value) is not None
    }
