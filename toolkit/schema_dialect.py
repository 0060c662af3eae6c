"""Translates JSON schemas of older drafts, and with common mistakes, into the form that model
services read."""

from collections.abc import Mapping
from typing import Final, cast

from toolkit.schema_keywords import LIST, MAP, ONE, replace_schemas

MAX_DEPTH = 64

_OF_OBJECTS: Final = frozenset(
    {
        *("properties", "required", "additionalProperties", "patternProperties"),
        *("$ref", "allOf", "anyOf", "oneOf"),
    }
)
"""A schema with one of these at its root describes an object, even if its type is missing."""

_NEVER_NULL: Final = frozenset(
    {
        *("type", "title", "description", "format", "required", "enum", "pattern", "$ref"),
        *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
        *(ONE | LIST | MAP),
    }
)


def object_schema(schema: Mapping[str, object]) -> dict[str, object]:
    """The schema of an object in draft 2020-12, with its `properties`.

    Real servers send older drafts (a list as `items`, a boolean as `exclusiveMinimum`), null where
    Go has an empty slice or map, and `[]` where PHP and R have an empty map. Each of these has only
    one meaning, so it is translated. `$schema` is left out: several model services refuse it.

    Raises:
        ValueError: the schema does not describe an object, or is nested too deeply.
    """
    current = _current(schema, MAX_DEPTH)
    current.pop("$schema", None)
    if "type" not in current and _OF_OBJECTS.isdisjoint(current):
        raise ValueError("the schema does not describe an object")
    if current.get("type", "object") != "object":
        raise ValueError("the schema's type must be object")
    # Some model services refuse a function whose parameters have no properties.
    current.setdefault("properties", {})
    return {"type": "object", **current}


def _current(schema: Mapping[str, object], depth: int) -> dict[str, object]:
    if depth == 0:
        raise ValueError(f"the schema is nested more than {MAX_DEPTH} levels deep")
    given = {
        name: value
        for name, value in schema.items()
        if value is not None or name not in _NEVER_NULL
    }
    for name in MAP & given.keys():
        if given[name] == []:
            given[name] = {}
    _translate_tuple(given)
    _translate_limit(given, "minimum", "exclusiveMinimum")
    _translate_limit(given, "maximum", "exclusiveMaximum")
    if given.get("type") == "array" and "prefixItems" not in given:
        given.setdefault("items", {})  # OpenAI refuses an array without items.

    def inner(value: object) -> object:
        if isinstance(value, Mapping):
            return _current(cast("Mapping[str, object]", value), depth - 1)
        return value

    return {name: replace_schemas(name, value, inner) for name, value in given.items()}


def _translate_tuple(schema: dict[str, object]) -> None:
    """Before draft 2020-12, a list as `items` described a tuple."""
    if not isinstance(schema.get("items"), list):
        return
    members = schema.pop("items")
    if members != []:
        schema["prefixItems"] = members
    if "additionalItems" in schema:
        schema["items"] = schema.pop("additionalItems")


def _translate_limit(schema: dict[str, object], limit: str, exclusive: str) -> None:
    """Up to draft 4, `exclusiveMinimum` was a boolean that said what `minimum` meant."""
    match schema.get(exclusive):
        case True if limit in schema:
            schema[exclusive] = schema.pop(limit)
        case bool():
            del schema[exclusive]
        case _:
            pass
