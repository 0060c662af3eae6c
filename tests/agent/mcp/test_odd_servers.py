"""Servers whose tools and results do not fit mcp's models: the rest of them works."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent.config.mcp_servers import HttpServer, StdioServer
from agent.mcp import connection
from agent.mcp.result import text_of
from agent.mcp.server_tools import MAX_TOOLS
from tests.agent.mcp.kept import Kept, kept
from tests.agent.mcp.programs import ODD_SERVER, free_port
from tests.forward_proxy import forward_proxy
from toolkit.errors import ToolError, Unavailable

GOOD = {"name": "good", "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}}}
TEXT = '{"content": [{"type": "text", "text": "fine"}]}'


def plan(*tools: object, **results: str) -> dict[str, Any]:
    return {"pages": [[*tools, GOOD]], "results": {"good": TEXT, **results}}


def listed(name: str, schema: object, **more: object) -> dict[str, object]:
    return {"name": name, "inputSchema": schema, **more}


@asynccontextmanager
async def odd(what: dict[str, Any]) -> AsyncGenerator[Kept]:
    settings = StdioServer(command=sys.executable, args=(ODD_SERVER, json.dumps(what)))
    async with kept(settings) as keeping:
        await keeping.until(lambda: keeping.connection.is_up)
        yield keeping


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_DELAY", 0.05)


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        (listed("bad", {}), "the schema does not describe an object"),
        (listed("bad", {"$schema": "http://json-schema.org/draft-07/schema#"}), "an object"),
        (listed("bad", None), "its inputSchema is not an object"),
        (listed("bad", "object"), "its inputSchema is not an object"),
        ({"name": "bad"}, "its inputSchema is not an object"),
        (listed("bad", {"type": "array"}), "type must be object"),
        (listed("bad", {"type": "object", "properties": {"a": {"type": "int"}}}), "no JSON schema"),
        (
            listed("bad", {"properties": {"a": {"$ref": "#/$defs/Missing"}}}),
            "refers to #/$defs/Missing",
        ),
        (
            listed("bad", {"properties": {"a": {"$dynamicRef": "#missing"}}}),
            "refers to #missing",
        ),
        (
            listed("bad", {"properties": {"a": {"$ref": "https://example.com/a.json"}}}),
            "refers to https://example.com/a.json",
        ),
        (listed("bad" * 40, {"type": "object"}), "more than 64 characters"),
        (listed("go.od", {"type": "object"}), None),
        ({"inputSchema": {"type": "object"}}, "it has no name"),
        (listed("", {"type": "object"}), "it has no name"),
        (listed("bad", {"type": "object"}, description=5, annotations=5, icons="x"), None),
        ("bad", "it has no name"),
        (None, "it has no name"),
    ],
)
async def test_a_tool_that_cannot_be_used_is_left_out_alone(
    caplog: pytest.LogCaptureFixture, tool: object, reason: str | None
) -> None:
    async with odd(plan(tool)) as calc:
        assert await calc.call("good", a="x") == "fine"
        assert len(calc.connection.tools) == (1 if reason else 2)
    said = [each.getMessage() for each in caplog.records if "skipped" in each.getMessage()]
    assert len(said) == (1 if reason else 0)
    if reason:
        assert reason in said[0]
        assert said[0].startswith("MCP server calc: tool ")


async def test_a_tool_is_named_once_while_it_stays_as_it_is(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CHECK_INTERVAL", 0.0)
    async with odd(plan(listed("bad", {}))) as calc:
        for _ in range(5):
            assert await calc.call("good") == "fine"
    assert caplog.text.count("tool bad skipped") == 1


async def test_the_first_of_two_tools_with_one_name_is_used(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tools = [listed("a.b", {"type": "object"}), listed("a_b", {"type": "object"})]
    async with odd(plan(*tools, **{"a.b": TEXT})) as calc:
        assert await calc.call("a_b") == "fine"
        assert {tool.name for tool in calc.connection.tools} == {"calc_a_b", "calc_good"}
    assert "tool a_b skipped: there is another tool called calc_a_b" in caplog.text


async def test_all_pages_of_a_list_are_read_up_to_a_bound() -> None:
    pages = [
        [listed(f"t{page}_{index}", {"type": "object"}) for index in range(50)] for page in range(9)
    ]
    async with odd({"pages": pages, "results": {"t1_7": TEXT}}) as calc:
        assert len(calc.connection.tools) == MAX_TOOLS
        assert await calc.call("t1_7") == "fine"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ('{"content": [{"type": "text", "text": "half \\ud83d end"}]}', "half \ufffd end"),
        ('{"content": [{"type": "text", "text": "\\ude00 \\ud83d\\ude00 \\\\ud83d"}]}',
         "\ufffd \U0001f600 \\ud83d"),
        ('{"content": [{"type": "text", "text": "caf\udce9"}]}', "caf\ufffd"),
        ('{"content": [{"type": "hologram", "data": "…"}]}', "[hologram, not shown]"),
        ('{"content": [{"type": "hologram", "text": "said"}]}', "said"),
        ('{"content": [{"type": "resource_link", "uri": "probe://x", "name": "x"}]}',
         "x: probe://x"),
        ('{"content": [{"type": "resource_link", "uri": "probe://x"}]}', "probe://x"),
        ('{"content": [{"type": "resource", "resource": {"uri": "a:b", "text": "said"}}]}', "said"),
        ('{"content": [{"type": "resource", "resource": {"uri": "a:b", "blob": "AA=="}}]}',
         "[resource a:b, not shown]"),
        ('{"content": [{"type": "image", "data": "AA==", "mimeType": "image/png"}]}',
         "[image, not shown]"),
        ('{"content": [{"type": "text"}, {"type": "text", "text": "b"}]}', "[text, not shown]\nb"),
        ('{"content": [{"type": "text", "text": 5}]}', "5"),
        ('{"content": [{"type": "text", "text": ""}], "structuredContent": {"n": 1}}', '{"n": 1}'),
        ('{"content": "said"}', "said"),
        ('{"content": {"type": "text", "text": "said"}}', "said"),
        ('{"content": ["said"]}', "said"),
        ('{"content": null, "structuredContent": {"n": 1}}', '{"n": 1}'),
        ('{"structuredContent": [1, 2]}', "[1, 2]"),
        ('{"toolResult": {"n": 1}}', '{"n": 1}'),
        ('{"content": [], "isError": null}', ""),
        ("{}", ""),
    ],
)  # fmt: skip
async def test_the_text_of_an_odd_result_is_passed_on(result: str, text: str) -> None:
    async with odd(plan(listed("odd", {"type": "object"}), odd=result)) as calc:
        assert await calc.call("odd") == text


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
        {"type": "array"},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/Missing"}}},
        "object",
    ],
)
@pytest.mark.parametrize("structured", ["", ', "structuredContent": {"n": "no number"}'])
async def test_a_result_that_does_not_fit_its_schema_is_passed_on(
    schema: object, structured: str
) -> None:
    result = f'{{"content": [{{"type": "text", "text": "one"}}]{structured}}}'
    tool = listed("odd", {"type": "object"}, outputSchema=schema)
    async with odd(plan(tool, odd=result)) as calc:
        assert await calc.call("odd") == "one"


@pytest.mark.parametrize("result", ["null", "[1]", '"text"', "5"])
async def test_an_answer_that_is_no_result_is_an_error_at_once(result: str) -> None:
    async with odd(plan(listed("odd", {"type": "object"}), odd=result)) as calc:
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable, match="did not answer"):
                await calc.call("odd")
        assert await calc.call("good") == "fine"


@pytest.mark.parametrize("words", ["no such city", ""])
async def test_a_failed_call_is_reported_in_the_servers_words(words: str) -> None:
    result = json.dumps({"content": [{"type": "text", "text": words}], "isError": True})
    async with odd(plan(listed("odd", {"type": "object"}), odd=result)) as calc:
        with pytest.raises(ToolError, match=words or "odd failed"):
            await calc.call("odd")


async def test_half_a_surrogate_pair_over_http() -> None:
    port = free_port()
    what = plan(listed("odd", {"type": "object"}), odd='{"content": ["half \\ud83d end"]}')
    process = await asyncio.create_subprocess_exec(
        sys.executable, ODD_SERVER, json.dumps({**what, "port": port})
    )
    try:
        async with kept(HttpServer(url=f"http://127.0.0.1:{port}/mcp")) as calc:
            await calc.until(lambda: calc.connection.is_up)
            assert await calc.call("odd") == "half \ufffd end"
    finally:
        process.kill()
        await process.wait()


async def test_a_server_is_reached_through_the_proxy_of_its_url() -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, ODD_SERVER, json.dumps({**plan(), "port": port})
    )
    settings = HttpServer(url=f"http://mcp.test:{port}/mcp")
    try:
        async with forward_proxy() as proxy, kept(settings, lambda _: proxy.url) as calc:
            await calc.until(lambda: calc.connection.is_up)
            assert await calc.call("good") == "fine"
            assert proxy.hosts == {"mcp.test"}
    finally:
        process.kill()
        await process.wait()


def test_a_result_with_parts_of_every_kind_of_json_is_text() -> None:
    parts: list[object] = [None, 5, True, [], {}, {"type": 5}, {"type": "x" * 500}]
    assert text_of({"content": parts}, "odd").splitlines()[:3] == ["null", "5", "true"]
    assert len(text_of({"content": parts}, "odd")) < 200
