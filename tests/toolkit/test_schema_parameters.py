import json

import pytest

from toolkit.errors import InvalidArguments
from toolkit.schema_parameters import SchemaParameters
from toolkit.settings import ToolSettings
from toolkit.tool import Tool
from toolkit.toolbox import Toolbox

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 5},
        "days": {"type": "integer", "enum": [1, 7]},
        "at": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
    },
    "required": ["city"],
    "additionalProperties": False,
}


async def say_back(arguments: dict[str, object]) -> dict[str, object]:
    return arguments


def tool_of(schema: dict[str, object]) -> Tool:
    return Tool("sayBack", "Say it back.", SchemaParameters.of(schema), say_back)


async def test_arguments_that_fit_reach_the_function() -> None:
    tool = tool_of(SCHEMA)
    assert tool.json_schema() == SCHEMA
    assert tool.parameters.names == ("city", "days", "at")
    async with Toolbox([tool], ToolSettings()) as toolbox:
        answer = await toolbox.call("sayBack", {"city": "Paris", "days": 7})
    assert json.loads(answer) == {"city": "Paris", "days": 7}


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({}, {"city": "required"}),
        ({"city": 5}, {"city": "should be of type string"}),
        ({"city": "Nowhere"}, {"city": "should have maxLength: 5"}),
        ({"city": "Rome", "days": 2}, {"days": "should have enum: [1, 7]"}),
        ({"city": "Rome", "days": True}, {"days": "should be of type integer"}),
        ({"city": "Rome", "x": 1}, {"x": "unknown argument"}),
        ({"city": "Rome", "at": {}}, {"at.x": "required"}),
        ({"city": "Rome", "at": {"x": "1"}}, {"at.x": "should be of type number"}),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    arguments: dict[str, object], fields: dict[str, str]
) -> None:
    with pytest.raises(InvalidArguments) as caught:
        SchemaParameters.of(SCHEMA).validate(arguments)
    assert fields.items() <= caught.value.fields.items()


@pytest.mark.parametrize("number", [10**400, float("inf"), float("nan")])
def test_a_number_that_cannot_be_divided_does_not_fit(number: float) -> None:
    schema = {"type": "object", "properties": {"it": {"type": "number", "multipleOf": 0.5}}}
    with pytest.raises(InvalidArguments, match="a number that cannot be checked"):
        SchemaParameters.of(schema).validate({"it": number})


def test_error_texts_are_bounded_and_hide_the_value() -> None:
    with pytest.raises(InvalidArguments) as caught:
        SchemaParameters.of(SCHEMA).validate(
            {f"secret{index:a>900}": "hidden" for index in range(99)}
        )
    assert len(json.dumps(caught.value.details)) < 4_000
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string"},
        {"type": "object", "properties": 5},
        {"type": "object", "required": "city"},
    ],
)
def test_schemas_that_describe_no_object(schema: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="schema"):
        SchemaParameters.of(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}},
        {"patternProperties": {"^(a|a)*b$": {}}, "additionalProperties": {"pattern": "(x*)*y$"}},
        {"properties": {"a": {"pattern": r"^\p{L}+$"}}},
    ],
)
def test_patterns_take_linear_time(schema: dict[str, object]) -> None:
    """Python's own engine needs longer than the universe has for these."""
    parameters = SchemaParameters.of({"type": "object", **schema})
    for text in ("a" * 50_000 + "!", "x" * 50_000 + "!"):
        with pytest.raises(InvalidArguments, match="pattern"):
            parameters.validate({"a": text})


def test_patterns_of_names_choose_what_their_values_are_checked_by() -> None:
    parameters = SchemaParameters.of(
        {
            "type": "object",
            "properties": {"city": {}},
            "patternProperties": {"^n_": {"type": "integer"}, r"^\p{Lu}": {}},
            "additionalProperties": False,
        }
    )
    parameters.validate({"city": 1, "n_1": 2, "Äpfel": None})
    with pytest.raises(InvalidArguments) as caught:
        parameters.validate({"n_1": "x", "other": 1})
    assert caught.value.fields.keys() == {"n_1", "other"}
