"""Keywords of a JSON schema that contain other schemas."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, cast

ONE: Final = frozenset(
    {
        *("items", "additionalItems", "additionalProperties", "unevaluatedItems"),
        *("unevaluatedProperties", "contains", "propertyNames", "not", "if", "then", "else"),
    }
)
"""Keywords whose value is a schema."""

LIST: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
"""Keywords whose value is a list of schemas; `items` in older drafts."""

MAP: Final = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"}
)
"""Keywords whose value has a schema by name."""


def replace_schemas(keyword: str, value: object, replace: Callable[[object], object]) -> object:
    """The keyword's value, with each schema in it replaced."""
    if isinstance(value, Mapping):
        if keyword in MAP:
            members = cast("Mapping[str, object]", value)
            return {name: replace(member) for name, member in members.items()}
        if keyword in ONE:
            return replace(cast("object", value))
    if isinstance(value, list) and keyword in LIST:
        return [replace(member) for member in cast("list[object]", value)]
    return cast("object", value)


def subschemas(schema: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The schemas right inside this one; those that are `true` or `false` have nothing in them."""
    found: list[object] = []

    def take(inner: object) -> object:
        found.append(inner)
        return inner

    for keyword, value in schema.items():
        replace_schemas(keyword, value, take)
    return (cast("Mapping[str, object]", each) for each in found if isinstance(each, Mapping))
