"""Schemas as real servers send them."""

import re

import pytest

from toolkit.errors import InvalidArguments
from toolkit.schema_parameters import SchemaParameters


def object_of(**properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties}


TUPLE = [{"type": "number"}, {"type": "string"}]
PLACE = {"type": "object", "properties": {"near": {"$ref": "#/$defs/place"}}}


TRANSLATED: list[tuple[dict[str, object], dict[str, object]]] = [
    ({"type": "object"}, object_of()),
    ({"type": "object", "properties": None, "required": None}, object_of()),
    ({"type": "object", "properties": []}, object_of()),
    (
        {"properties": {}, "additionalProperties": {}},
        object_of() | {"additionalProperties": {}},
    ),
    ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}, object_of()),
    (object_of(a={"type": "array"}), object_of(a={"type": "array", "items": {}})),
    (
        object_of(a={"type": "array", "items": TUPLE}),
        object_of(a={"type": "array", "prefixItems": TUPLE}),
    ),
    (
        object_of(a={"type": "array", "items": TUPLE, "additionalItems": False}),
        object_of(a={"type": "array", "prefixItems": TUPLE, "items": False}),
    ),
    (
        object_of(a={"minimum": 0, "exclusiveMinimum": True, "exclusiveMaximum": False}),
        object_of(a={"exclusiveMinimum": 0}),
    ),
    (object_of(a={"description": None, "default": None}), object_of(a={"default": None})),
    (object_of(a=True, items={"type": "string"}), object_of(a=True, items={"type": "string"})),
    (
        object_of(a={"enum": [None, {"items": TUPLE}]}),
        object_of(a={"enum": [None, {"items": TUPLE}]}),
    ),
]


@pytest.mark.parametrize(("schema", "current"), TRANSLATED)
def test_older_drafts_and_common_slips_are_translated(
    schema: dict[str, object], current: dict[str, object]
) -> None:
    assert SchemaParameters.of(schema).json_schema() == current


def test_a_tuple_of_an_older_draft_is_checked() -> None:
    parameters = SchemaParameters.of(object_of(at={"type": "array", "items": TUPLE}))
    parameters.validate({"at": [1, "x"]})
    with pytest.raises(InvalidArguments) as caught:
        parameters.validate({"at": ["x", 1]})
    assert caught.value.fields == {
        "at.0": "should be of type number",
        "at.1": "should be of type string",
    }


WHOLE: list[dict[str, object]] = [
    object_of(a=PLACE) | {"$defs": {"place": PLACE}},
    object_of(a={"$ref": "#/definitions/a~1b"}) | {"definitions": {"a/b": {"type": "string"}}},
    object_of(a={"$ref": "#/components/x"})
    | {"components": {"x": {"$ref": "#/$defs/y"}}, "$defs": {"y": {}}},
    object_of(a={"$ref": "#"}),
    object_of(a={"$ref": "#here"}, b={"$anchor": "here"}),
    object_of(a={"$ref": "inner.json#/$defs/x"})
    | {"$id": "https://x.test/outer.json"}
    | {"$defs": {"i": {"$id": "inner.json", "$defs": {"x": {}}}}},
    {"$ref": "#/$defs/all", "$defs": {"all": {"type": "object"}}},
    object_of(a={"const": {"$ref": "#/nowhere"}}),
    object_of(**{"$ref": {"type": "string"}}),
]


@pytest.mark.parametrize("schema", WHOLE)
def test_a_schema_may_refer_to_what_is_in_it(schema: dict[str, object]) -> None:
    SchemaParameters.of(schema).validate({})


REFUSED: list[tuple[dict[str, object], str]] = [
    (object_of(a={"$ref": "#/$defs/Missing"}), "refers to #/$defs/Missing, which is not in it"),
    (
        object_of(a={"$ref": "#/components/x"}) | {"components": {"x": {"$ref": "#/$defs/y"}}},
        "refers to",
    ),
    (object_of() | {"$defs": {"x": {"items": {"$ref": "#missing"}}}}, "refers to #missing"),
    # Nothing is fetched: a request to port 9 of the loopback would be another error.
    (object_of(a={"$ref": "http://127.0.0.1:9/schema.json"}), "127.0.0.1:9"),
    (
        object_of(a={"$ref": "#/$defs/x"}) | {"$defs": {"x": {"$ref": "#/$defs/x"}}},
        "refers to itself",
    ),
    (object_of(a={"$ref": "x" * 5_000}), "refers to x"),
    (object_of(a={"default": float("nan")}), "JSON"),
    (object_of() | {"patternProperties": {"^(?=a)": {}}}, "cannot be used"),
    (
        object_of()
        | {"allOf": [{"patternProperties": {"^a": {}}}], "unevaluatedProperties": False},
        "cannot be used together",
    ),
]


@pytest.mark.parametrize(("schema", "said"), REFUSED)
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        SchemaParameters.of(schema)
    assert len(str(caught.value)) < 400


def test_a_schema_that_is_nested_too_deeply_is_refused() -> None:
    schema: dict[str, object] = object_of()
    for _ in range(500):
        schema = object_of(a=schema)
    with pytest.raises(ValueError, match="64 levels"):
        SchemaParameters.of(schema)


def test_a_pattern_that_cannot_be_used_here_is_left_to_its_author() -> None:
    schema = object_of(a={"type": "string", "pattern": r"^(?=.*\d)"}, b={"pattern": "^x"})
    parameters = SchemaParameters.of(schema)
    assert parameters.json_schema() == schema
    parameters.validate({"a": "5"})
    with pytest.raises(InvalidArguments, match="pattern"):
        parameters.validate({"b": "y"})
