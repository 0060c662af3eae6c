"""The validator of JSON schemas that come with tools; patterns in them take linear time.

jsonschema matches patterns with Python's `re`, which some patterns keep busy for hours with a short
text: an MCP server or a client could stop every room of the process that way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, cast

import jsonschema
from jsonschema import validators
from referencing import Registry
from referencing.jsonschema import Schema

from toolkit.linear_pattern import linear_pattern


class Validator(Protocol):
    """The part of jsonschema's validator that is used."""

    def iter_errors(self, instance: object) -> Iterable[jsonschema.ValidationError]: ...


def validator_of(schema: Mapping[str, object]) -> Validator:
    """A validator for a schema that `check_schema` accepts and `without_foreign_patterns` made."""
    # A registry of its own: references to other documents are never fetched.
    registry: Registry[Schema] = Registry()
    return cast("Validator", _LINEAR(schema, registry=registry))


def _matches(pattern: str, text: str) -> bool:
    compiled = linear_pattern(pattern)
    return compiled is not None and compiled.is_in(text)


def _pattern(
    validator: Any,  # noqa: ANN401 - jsonschema's own
    pattern: str,
    instance: object,
    _schema: Mapping[str, object],
) -> Iterable[jsonschema.ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield jsonschema.ValidationError("does not match the pattern")


def _pattern_properties(
    validator: Any,  # noqa: ANN401 - jsonschema's own
    patterns: Mapping[str, object],
    instance: object,
    _schema: Mapping[str, object],
) -> Iterable[jsonschema.ValidationError]:
    if not isinstance(instance, Mapping):
        return
    fields = cast("Mapping[str, object]", instance)
    for pattern, subschema in patterns.items():
        for name, value in fields.items():
            if _matches(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any,  # noqa: ANN401 - jsonschema's own
    additional: object,
    instance: object,
    schema: Mapping[str, object],
) -> Iterable[jsonschema.ValidationError]:
    if not isinstance(instance, Mapping):
        return
    known = cast("Mapping[str, object]", schema.get("properties", {}))
    patterns = cast("Mapping[str, object]", schema.get("patternProperties", {}))
    for name, value in cast("Mapping[str, object]", instance).items():
        if name in known or any(_matches(pattern, name) for pattern in patterns):
            continue
        if isinstance(additional, Mapping):
            yield from validator.descend(value, additional, path=name)
        elif additional is False:
            yield jsonschema.ValidationError("has unknown arguments")
            return


_LINEAR: Final = cast("Callable[..., Any]", validators.extend)(
    jsonschema.Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    },
)
