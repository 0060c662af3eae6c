import asyncio
import datetime
import enum
import functools
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import FrozenInstanceError
from typing import Annotated, cast

import pytest
from pydantic import BaseModel, Field

from toolkit.caller import Caller
from toolkit.context import ToolContext
from toolkit.errors import (
    InvalidArguments,
    NotAllowed,
    OperationFailed,
    TimedOut,
    ToolError,
    Unavailable,
)
from toolkit.settings import ToolSettings
from toolkit.tool import Function, Tool, tool
from toolkit.toolbox import Toolbox


@pytest.fixture
async def context() -> AsyncIterator[ToolContext]:
    async with Toolbox([], ToolSettings()) as toolbox:
        yield toolbox.context(Caller("anna", "Anna"))


class Colour(enum.StrEnum):
    RED = "red"


class Point(BaseModel):
    x: int


@tool
async def paint_wall(
    colour: Colour,
    corner_points: Annotated[list[Point], Field(description="Where", max_length=2)],
    context: ToolContext,
    since: datetime.date | None = None,
    opacity: float = 1.0,
) -> dict[str, object]:
    """Paint a wall."""
    return {
        "colour": colour,
        "corners": corner_points,
        "since": since,
        "opacity": opacity,
        "by": context.caller and context.caller.name,
    }


def test_a_tool_is_derived_from_its_function() -> None:
    assert paint_wall.name == "paintWall"
    assert paint_wall.description == "Paint a wall."
    schema = paint_wall.json_schema()
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["colour", "cornerPoints"]
    properties = cast("dict[str, dict[str, object]]", schema["properties"])
    assert list(properties) == ["colour", "cornerPoints", "since", "opacity"]
    assert properties["opacity"] == {"type": "number", "default": 1.0}
    assert properties["cornerPoints"]["description"] == "Where"


def test_a_tool_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        paint_wall.name = "other"  # pyright: ignore[reportAttributeAccessIssue] - that is the test


def test_a_tool_can_be_named() -> None:
    @tool(name="doIt", timeout=2)
    async def anything() -> None:
        """Do it."""

    assert (anything.name, anything.timeout) == ("doIt", 2)


def test_functions_that_cannot_be_tools_are_refused() -> None:
    async def silent() -> None: ...

    async def many(*names: str) -> None:
        """Take any number."""

    async def plain(text) -> None:  # noqa: ANN001  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType] - that is the test
        """Take anything."""

    unfit: list[tuple[Function, str]] = [(silent, "docstring"), (many, "names"), (plain, "text")]
    for function, what in unfit:
        with pytest.raises(TypeError, match=what):
            tool(function)
    with pytest.raises(TypeError, match="text_argument"):
        tool(text_argument="other")(plain_text)


async def plain_text(text: str) -> str:
    """Say it again."""
    return text


async def test_result_is_compact_json(context: ToolContext) -> None:
    arguments = {"colour": "red", "cornerPoints": [{"x": 1}], "since": "2026-01-31"}
    assert await paint_wall.call(arguments, context) == (
        '{"colour":"red","corners":[{"x":1}],"since":"2026-01-31","opacity":1.0,"by":"Anna"}'
    )


async def test_text_comes_back_as_it_is(context: ToolContext) -> None:
    assert await tool(plain_text).call({"text": 'Grüß "Gott"'}, context) == 'Grüß "Gott"'


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({}, {"colour": "required", "cornerPoints": "required"}),
        ({"colour": "red", "cornerPoints": [], "x": 1}, {"x": "unknown argument"}),
        ({"colour": "red", "corner_points": []}, {"cornerPoints": "required"}),
        ({"colour": "red", "cornerPoints": {}}, {"cornerPoints": "should be a valid array"}),
        ({"colour": "blue", "cornerPoints": []}, {"colour": "should be 'red'"}),
        (
            {"colour": "red", "cornerPoints": [{"x": "1"}]},
            {"cornerPoints.0.x": "should be a valid integer"},
        ),
        (
            {"colour": "red", "cornerPoints": [], "opacity": "1"},
            {"opacity": "should be a valid number"},
        ),
        (
            {"colour": "red", "cornerPoints": [], "opacity": True},
            {"opacity": "should be a valid number"},
        ),
    ],
)
async def test_arguments_are_checked(
    context: ToolContext, arguments: dict[str, object], fields: dict[str, str]
) -> None:
    with pytest.raises(InvalidArguments) as caught:
        await paint_wall.call(arguments, context)
    assert fields.items() <= caught.value.fields.items()
    assert caught.value.code == 400
    assert caught.value.details == {"fields": caught.value.fields}
    for name, what in fields.items():
        assert f"{name}: {what}" in str(caught.value)


async def test_reports_of_bad_arguments_are_bounded(context: ToolContext) -> None:
    with pytest.raises(InvalidArguments) as caught:
        await paint_wall.call({f"{index:a>5000}": 0 for index in range(500)}, context)
    assert len(json.dumps(caught.value.details)) < 4000


@pytest.mark.parametrize("value", [object(), "\ud800", {1: object()}])
async def test_arguments_that_are_no_json(context: ToolContext, value: object) -> None:
    with pytest.raises(InvalidArguments):
        await tool(plain_text).call({"text": value}, context)


async def test_a_sync_function_runs_in_a_thread(context: ToolContext) -> None:
    @tool
    def where() -> bool:
        """Tell whether this is the main thread."""
        return threading.current_thread() is threading.main_thread()

    assert await where.call({}, context) == "false"


async def test_timeout(context: ToolContext) -> None:
    @tool(timeout=0.01)
    async def wait_forever() -> None:
        """Wait forever."""
        await asyncio.Event().wait()

    with pytest.raises(TimedOut, match=r"waitForever took longer than 0\.01 s") as caught:
        await wait_forever.call({}, context)
    assert caught.value.code == 504


async def test_cancelling_a_call_is_not_an_error(context: ToolContext) -> None:
    @tool
    async def wait_forever() -> None:
        """Wait forever."""
        await asyncio.Event().wait()

    call = asyncio.create_task(wait_forever.call({}, context))
    await asyncio.wait([call], timeout=0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize(
    "cause", [ValueError("secret"), TimeoutError("secret"), KeyError("secret")]
)
async def test_an_unforeseen_error_stays_in_the_log(
    context: ToolContext, caplog: pytest.LogCaptureFixture, cause: Exception
) -> None:
    @tool
    async def break_down() -> None:
        """Break."""
        raise cause

    with pytest.raises(OperationFailed) as caught:
        await break_down.call({}, context)
    assert (caught.value.code, str(caught.value), caught.value.details) == (
        500,
        "Operation failed",
        {},
    )
    assert caught.value.__cause__ is cause
    assert "secret" in caplog.text


async def test_a_result_that_cannot_be_written_is_an_error(context: ToolContext) -> None:
    @tool
    async def return_thing() -> object:
        """Return a thing."""
        return object()

    with pytest.raises(OperationFailed):
        await return_thing.call({}, context)


@pytest.mark.parametrize(
    ("cause", "logged"),
    [
        (ConnectionRefusedError(111, "Connection refused", "what ann said"), "Connection refused"),
        (OSError("what ann said"), "OSError"),
        (ValueError("what ann said"), "ValueError"),
    ],
)
async def test_a_tool_error_is_passed_on_and_the_kind_of_its_cause_logged(
    context: ToolContext, caplog: pytest.LogCaptureFixture, cause: Exception, logged: str
) -> None:
    @tool
    async def reach_out() -> None:
        """Reach out."""
        raise Unavailable("Nobody there") from cause

    @tool
    async def refuse() -> None:
        """Refuse."""
        raise NotAllowed("Not you")

    with caplog.at_level(logging.WARNING):
        with pytest.raises(Unavailable, match="Nobody there"):
            await reach_out.call({}, context)
        assert logged in caplog.text
        assert "ann" not in caplog.text
        caplog.clear()
        with pytest.raises(NotAllowed, match="Not you"):
            await refuse.call({}, context)
        assert not caplog.records


def test_codes_stay_out_of_livekits_range() -> None:
    codes = [kind.code for kind in ToolError.__subclasses__()]
    assert sorted(codes) == [400, 403, 404, 409, 413, 429, 500, 503, 504, 507]


@pytest.mark.parametrize(
    ("payload", "arguments"), [("", {}), (" ", {}), ('{"a": [1]}', {"a": [1]})]
)
def test_payloads(payload: str, arguments: dict[str, object]) -> None:
    assert paint_wall.parse_payload(payload) == arguments


@pytest.mark.parametrize(
    "payload", ["[]", "5", "null", '"text"', "{", "text", "NaN", '{"a": NaN}', "[" * 100_000]
)
def test_payloads_that_are_no_json_object(payload: str) -> None:
    with pytest.raises(InvalidArguments, match="payload"):
        paint_wall.parse_payload(payload)


@pytest.mark.parametrize(
    ("payload", "text"),
    [("hello", "hello"), ('"hello"', "hello"), ("[1]", "[1]"), ("{", "{"), ("5", "5")],
)
def test_bare_text_is_the_text_argument(payload: str, text: str) -> None:
    texts: Tool = tool(text_argument="text")(plain_text)
    assert texts.parse_payload(payload) == {"text": text}
    assert texts.parse_payload('{"text": "x"}') == {"text": "x"}
    assert texts.parse_payload("") == {}


def test_functions_of_one_definition_share_their_parameters() -> None:
    def made(number: int) -> Tool:
        @tool
        def add(to: int) -> int:
            """Add."""
            return to + number

        return add

    assert made(1).parameters is made(2).parameters


def test_functions_of_one_definition_differ_where_their_parameters_do() -> None:
    def made(most: int, default: int) -> Tool:
        def add(to: int = default) -> int:
            """Add."""
            return to

        add.__annotations__["to"] = Annotated[int, Field(le=most)]
        return tool(add)

    def properties(of: Tool) -> object:
        return of.json_schema()["properties"]

    assert properties(made(1, 0)) == {"to": {"default": 0, "maximum": 1, "type": "integer"}}
    assert properties(made(2, 0)) == {"to": {"default": 0, "maximum": 2, "type": "integer"}}
    assert properties(made(2, 1)) == {"to": {"default": 1, "maximum": 2, "type": "integer"}}


def test_a_wrapped_function_has_the_parameters_of_what_it_wraps() -> None:
    def logged(function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def call(*args: object, **kwargs: object) -> object:
            return function(*args, **kwargs)

        return call

    @tool
    @logged
    def one(number: int = 1) -> int:
        """One."""
        return number

    @tool
    @logged
    def two(number: int = 2) -> int:
        """Two."""
        return number

    assert [each.json_schema()["properties"] for each in (one, two)] == [
        {"number": {"default": 1, "type": "integer"}},
        {"number": {"default": 2, "type": "integer"}},
    ]


def test_a_schema_that_was_given_out_can_be_changed_without_harm() -> None:
    @tool
    def add(to: int) -> int:
        """Add."""
        return to

    add.json_schema().clear()
    assert add.json_schema()["required"] == ["to"]
