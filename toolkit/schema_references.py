"""References in a JSON schema: everything must be in the schema itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, Schema

from toolkit.schema_keywords import subschemas

if TYPE_CHECKING:
    from referencing._core import Resolver  # Has no public name.

MAX_CHAIN = 32
"""References that lead from one to the next; more are a circle."""

MAX_QUOTED = 200
"""Characters of a reference that an error quotes."""


def check_references(schema: Mapping[str, object]) -> None:
    """Raises ValueError if a reference leads nowhere, in a circle, or out of the schema."""
    # The registry has only the schema itself: nothing is ever fetched.
    registry: Registry[Schema] = Registry()
    root = registry.resolver_with_root(DRAFT202012.create_resource(cast("Schema", schema)))
    waiting: list[tuple[Mapping[str, object], Resolver[Schema]]] = [(schema, root)]
    seen: set[int] = set()
    while waiting:
        current, resolver = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current is not schema and isinstance(current.get("$id"), str):
            resolver = resolver.in_subresource(DRAFT202012.create_resource(cast("Schema", current)))
        for keyword in ("$ref", "$dynamicRef"):
            if (found := _target(current, keyword, resolver)) is not None:
                waiting.append(found)
        waiting += [(each, resolver) for each in subschemas(current)]


def _target(
    schema: Mapping[str, object], keyword: str, resolver: "Resolver[Schema]"
) -> "tuple[Mapping[str, object], Resolver[Schema]] | None":
    """The schema that this one refers to in the end, if it refers to one."""
    reference = schema.get(keyword)
    if not isinstance(reference, str):
        return None
    first = f"{reference:.{MAX_QUOTED}}"
    for _ in range(MAX_CHAIN):
        try:
            found = resolver.lookup(reference)
        except (Unresolvable, ValueError, KeyError, TypeError):
            raise ValueError(f"the schema refers to {first}, which is not in it") from None
        contents, resolver = found.contents, found.resolver
        if not isinstance(contents, Mapping):
            return None
        reference = contents.get(keyword)
        if not isinstance(reference, str):
            return contents, resolver
    raise ValueError(f"the schema refers to {first}, which refers to itself")
