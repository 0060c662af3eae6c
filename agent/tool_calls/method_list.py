"""The methods that a client offers to the model, as its participant attribute lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agent.unicode_text import well_formed_json

ATTRIBUTE = "client.methods"
MAX_BYTES = 16_384
MAX_DEPTH = 8

_KEYWORDS = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
        *("title", "description", "default", "examples"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "minItems", "maxItems"),
    }
)
"""Keywords allowed in a schema. A pattern could block the worker for ever, a reference could point
anywhere, and neither is needed to describe a form."""


class MethodListError(ValueError):
    """The attribute's value cannot be used; the text explains the error to its sender."""


def _check_schema(schema: dict[str, object]) -> dict[str, object]:
    if schema.get("type") != "object":
        raise ValueError("the type must be object")
    _check_keywords(schema, MAX_DEPTH)
    return schema


def _check_keywords(schema: object, depth: int) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise ValueError("a schema must be an object")
    if not depth:
        raise ValueError(f"a schema may be {MAX_DEPTH} levels deep")
    keywords = cast("dict[str, object]", schema)
    if unknown := keywords.keys() - _KEYWORDS:
        raise ValueError(f"{min(unknown):.40} is not supported in a schema")
    properties = keywords.get("properties", {})
    if not isinstance(properties, dict):
        raise ValueError("properties must be an object")
    inner = [keywords[name] for name in ("items", "additionalProperties") if name in keywords]
    for each in (*cast("Mapping[str, object]", properties).values(), *inner):
        _check_keywords(each, depth - 1)


class Method(BaseModel):
    """One method: `{"name", "description", "parameters"?: JSON schema}`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
    description: Annotated[str, Field(min_length=1, max_length=1_000)]
    parameters: Annotated[dict[str, object], AfterValidator(_check_schema)] = Field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )


_METHODS = TypeAdapter(list[Method])


def parse(text: str) -> list[Method]:
    """The methods in an attribute's value; none for an empty one.

    Raises:
        MethodListError: it is too long, or not such a list.
    """
    if not text:
        return []
    if len(text.encode()) > MAX_BYTES:
        raise MethodListError(f"it may have {MAX_BYTES} bytes")
    try:
        return _METHODS.validate_json(well_formed_json(text))
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part)[:64] for part in detail["loc"][:3])
        what = detail["msg"].removeprefix("Value error, ")
        raise MethodListError(f"{where}: {what}" if where else what) from None
