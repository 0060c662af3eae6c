"""Parts as tools make them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import pytest

from toolkit import Data, Result, Source, Suggestion, ToolContext, tool
from toolkit.parts import ShownPart
from toolkit.settings import ToolSettings
from toolkit.tool import Tool
from toolkit.toolbox import Toolbox


async def _nothing(_: object) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Source("", "https://example.test"), ValueError),
        (lambda: Source("Title", "javascript:alert(1)"), ValueError),
        (lambda: Source("Title", "https://"), ValueError),
        (lambda: Source(cast("Any", 1), "https://example.test"), TypeError),
        (lambda: Source("Title", "https://example.test", cast("Any", None)), TypeError),
        (lambda: Suggestion(" "), ValueError),
        (lambda: Data("", 1), ValueError),
        (lambda: Data("n" * 65, 1), ValueError),
        (lambda: Data("name", 1, id=""), ValueError),
        (lambda: Data("name", 1, id="i" * 129), ValueError),
        (lambda: Data("name", 1, schema=cast("Any", [])), TypeError),
        (lambda: Data("name", 1, on_action=cast("Any", "press")), TypeError),
        (lambda: ShownPart.of(Data("name", object())), TypeError),
        (lambda: ShownPart.of(Data("name", "\ud800")), TypeError),
        (lambda: ShownPart.of(Data("name", 1, schema={"type": "array"})), ValueError),
        (
            lambda: ShownPart.of(Data("name", 1, schema={"type": "object", "enum": 1})),
            ValueError,
        ),
        (lambda: ShownPart.of(cast("Any", "text")), TypeError),
    ],
)
def test_a_non_part_is_an_error_of_the_tool(
    make: Callable[[], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        make()


def test_a_part_is_what_it_was_when_it_was_shown() -> None:
    value = {"list": [1, math.nan]}
    shown = ShownPart.of(Data("name", value, id="one", on_action=_nothing))
    value["list"].append(2)
    assert shown.fields == {"type": "data", "name": "name", "value": {"list": [1, None]}}
    assert shown.id == "one"
    assert shown.made_from is not None


async def test_a_result_shows_its_parts_and_the_model_reads_its_value() -> None:
    @tool
    async def find() -> Result:
        """Find."""
        return Result({"found": 1}, Suggestion("More?"), Data("card", 1))

    @tool
    async def cite() -> Source:
        """Cite."""
        return Source("Title", "https://example.test/")

    shown: list[ShownPart] = []

    async def call(called: Tool) -> str:
        async with Toolbox([called], ToolSettings()) as toolbox:
            context = toolbox.context()
            context = ToolContext(toolbox, context.settings, context.http, on_part=shown.append)
            return await called.call({}, context)

    assert await call(find) == '{"found":1}'
    assert [part.fields["type"] for part in shown] == ["suggestion", "data"]
    assert await call(cite) == '{"title":"Title","url":"https://example.test/","quote":""}'
    assert shown[-1].fields == {
        "type": "source",
        "title": "Title",
        "url": "https://example.test/",
    }
