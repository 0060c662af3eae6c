"""A connection to one server: kept up, whatever the server does."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.config.mcp_servers import HttpServer, StdioServer
from agent.mcp import connection
from agent.mcp.servers import McpServers
from tests.agent.mcp.kept import WITHIN, Kept, kept
from tests.agent.mcp.programs import DEAF, DEAF_UNTIL, SERVER, free_port, is_running, served
from toolkit.errors import (
    InvalidArguments,
    RateLimited,
    TimedOut,
    TooLarge,
    ToolError,
    Unavailable,
)


def program(**settings: object) -> StdioServer:
    return StdioServer.model_validate({"command": sys.executable, "args": [SERVER], **settings})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_DELAY", 0.05)
    monkeypatch.setattr(connection, "CHECK_TIMEOUT", 2.0)


@pytest.fixture
async def calc() -> AsyncGenerator[Kept]:
    async with kept(program(timeout=5)) as keeping:
        await keeping.until(lambda: keeping.connection.is_up)
        yield keeping


async def test_the_servers_tools_are_called(calc: Kept) -> None:
    assert "calc_add" in calc.toolbox.names
    tool = calc.toolbox.get("calc_add")
    assert tool.description == "Add two numbers."
    assert set(tool.parameters.names) == {"a", "b"}
    assert not tool.rpc
    assert not tool.needs_approval
    assert await calc.call("add", a=1, b=2) == "3"


async def test_arguments_are_checked_before_they_go_out(calc: Kept) -> None:
    with pytest.raises(InvalidArguments) as caught:
        await calc.call("add", a="1")
    assert caught.value.fields == {"a": "should be of type integer", "b": "required"}


async def test_a_failure_in_the_server_keeps_its_text(calc: Kept) -> None:
    with pytest.raises(ToolError, match="Error executing tool fail") as caught:
        await calc.call("fail")
    assert caught.value.code == 500
    assert "secret" not in str(caught.value)


async def test_results_are_bounded(calc: Kept) -> None:
    with pytest.raises(TooLarge, match="65536 bytes"):
        await calc.call("repeat", text="x", times=70_000)
    assert await calc.call("repeat", text="x", times=3) == "xxx"


async def test_a_tool_that_hangs_is_given_up_and_the_server_is_kept() -> None:
    async with kept(program(timeout=2)) as calc:
        await calc.until(lambda: calc.connection.is_up)
        before = await calc.call("process_id")
        with pytest.raises(TimedOut, match="calc_hang took longer"):
            await calc.call("hang")
        assert await calc.call("process_id") == before


async def test_a_server_that_dies_in_a_call_comes_back(calc: Kept) -> None:
    before = await calc.call("process_id")
    with pytest.raises(Unavailable, match="The MCP server calc did not answer"):
        await calc.call("die")
    await calc.comes_back()
    assert await calc.call("process_id") != before


async def test_while_it_is_away_its_tools_stay_and_say_so(
    monkeypatch: pytest.MonkeyPatch, calc: Kept
) -> None:
    monkeypatch.setattr(connection, "FIRST_DELAY", 3600.0)
    with pytest.raises(Unavailable):
        await calc.call("die")
    await calc.until(lambda: not calc.connection.is_up)
    assert "calc_add" in calc.toolbox.names
    with pytest.raises(Unavailable, match="The MCP server calc cannot be reached"):
        await calc.call("add", a=1, b=2)


async def test_a_server_that_freezes_is_replaced() -> None:
    async with kept(program(timeout=1)) as calc:
        await calc.until(lambda: calc.connection.is_up)
        before = await calc.call("process_id")
        with pytest.raises(TimedOut):
            await calc.call("freeze")
        await calc.comes_back()
        assert await calc.call("process_id") != before
    assert not is_running(int(before))


async def test_a_server_that_is_killed_while_nobody_calls_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "CHECK_INTERVAL", 0.2)
    async with kept(program()) as calc:
        await calc.until(lambda: calc.connection.is_up)
        os.kill(int(await calc.call("process_id")), signal.SIGKILL)
        await calc.comes_back()


async def test_a_server_that_never_answers_is_tried_and_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.3)
    async with kept(program(args=["-c", DEAF])) as calc:
        async with asyncio.timeout(WITHIN):
            await calc.connection.tried()
        assert not calc.connection.is_up
        assert calc.connection.tools == ()
        await calc.until(
            lambda: "MCP server calc unavailable, reconnecting: TimeoutError" in caplog.text
        )


async def test_a_server_that_was_too_slow_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.3)
    awake = tmp_path / "awake"
    async with kept(program(args=["-c", DEAF_UNTIL, str(awake), SERVER])) as calc:
        async with asyncio.timeout(WITHIN):
            await calc.connection.tried()
        awake.touch()
        monkeypatch.setattr(connection, "CONNECT_TIMEOUT", WITHIN)
        await calc.until(lambda: calc.connection.is_up)
        assert await calc.call("add", a=1, b=2) == "3"


async def test_a_server_that_reads_nothing_any_more_holds_up_nobody_and_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # For so long mcp tries to tell the server of a call that was given up, 5 s otherwise.
    monkeypatch.setattr("mcp.shared.jsonrpc_dispatcher._ABANDON_WRITE_TIMEOUT", 3600.0)
    async with kept(program(timeout=1)) as calc:
        await calc.until(lambda: calc.connection.is_up)
        before = await calc.call("process_id")
        large = "x" * 100_000
        calls = [calc.call("freeze"), *(calc.call("repeat", text=large, times=1) for _ in range(9))]
        async with asyncio.timeout(WITHIN):
            failed = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, TimedOut | TooLarge | Unavailable) for each in failed)
        assert isinstance(failed[0], TimedOut)
        await calc.comes_back()
        assert await calc.call("process_id") != before


async def test_so_many_calls_of_a_tool_run_at_a_time() -> None:
    async with kept(program(timeout=1, maxCalls=1)) as calc:
        await calc.until(lambda: calc.connection.is_up)
        hanging = asyncio.gather(calc.call("hang"), calc.call("hang"), return_exceptions=True)
        assert await calc.call("add", a=1, b=2) == "3"
        errors = await hanging
        assert {type(error) for error in errors} <= {TimedOut, RateLimited}
        assert isinstance(errors[0], TimedOut)
    assert calc.toolbox.get("calc_hang").max_calls == 1


async def test_a_program_that_does_not_exist(caplog: pytest.LogCaptureFixture) -> None:
    async with kept(StdioServer(command="/no/such/program", args=("--key=hidden",))) as calc:
        async with asyncio.timeout(WITHIN):
            await calc.connection.tried()
        assert not calc.connection.is_up
    assert "MCP server calc unavailable, reconnecting: FileNotFoundError" in caplog.text
    assert "hidden" not in caplog.text


async def test_the_program_ends_with_the_connection() -> None:
    async with kept(program()) as calc:
        await calc.until(lambda: calc.connection.is_up)
        running = int(await calc.call("process_id"))
    assert not is_running(running)


async def test_the_program_gets_its_own_environment_and_none_of_the_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "the worker's")
    async with kept(program(env={"TOKEN": "its own"})) as calc:
        await calc.until(lambda: calc.connection.is_up)
        assert await calc.call("environment", name="TOKEN") == "its own"
        assert await calc.call("environment", name="LIVEKIT_API_SECRET") == "not set"


async def test_settings_of_its_tools_are_applied() -> None:
    settings = program(tools=["add", "die"], rpc=["add"], approval=True, timeout=3)
    async with kept(settings) as calc:
        await calc.until(lambda: calc.connection.is_up)
        tools = {tool.name: tool for tool in calc.toolbox}
    assert set(tools) == {"calc_add", "calc_die"}
    assert (tools["calc_add"].rpc, tools["calc_die"].rpc) == (True, False)
    assert all(tool.needs_approval and tool.timeout == 3 for tool in tools.values())


async def test_over_http_it_comes_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CHECK_INTERVAL", 0.2)
    monkeypatch.setattr(connection, "LONGEST_DELAY", 0.5)
    port = free_port()
    async with kept(HttpServer(url=f"http://127.0.0.1:{port}/mcp")) as calc:
        async with served(port):
            await calc.until(lambda: calc.connection.is_up)
            assert await calc.call("add", a=1, b=2) == "3"
        await calc.until(lambda: not calc.connection.is_up)
        async with served(port):
            await calc.until(lambda: calc.connection.is_up)
            assert await calc.call("add", a=2, b=2) == "4"


async def test_the_library_logs_nothing_of_what_servers_say() -> None:
    library = logging.getLogger("mcp.client")
    library.setLevel(logging.WARNING)  # as livekit-agents sets it (cli/log.py)
    McpServers({}, on_change=lambda: None)
    assert not library.getChild("streamable_http").isEnabledFor(logging.ERROR)


async def test_a_server_of_the_older_form() -> None:
    port = free_port()
    settings = HttpServer.model_validate({"url": f"http://127.0.0.1:{port}/sse", "type": "sse"})
    async with served(port, "sse"), kept(settings) as calc:
        await calc.until(lambda: calc.connection.is_up)
        assert await calc.call("add", a=1, b=2) == "3"


@pytest.mark.parametrize(
    ("headers", "chunk", "said"),
    [
        (b"Content-Type: application/json", b" " * 100_000, "ReadError"),
        (b"Content-Type: text/event-stream", b"data: " + b"x" * 100_000, "MCPError"),
        (
            b"Content-Type: application/json\r\nContent-Encoding: gzip",
            gzip.compress(b" " * 100_000_000),
            "DecodingError",
        ),
    ],
)
async def test_an_answer_without_end_is_given_up(
    caplog: pytest.LogCaptureFixture, headers: bytes, chunk: bytes, said: str
) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(pour, "127.0.0.1", 0) as endless:
        port = endless.sockets[0].getsockname()[1]
        async with kept(HttpServer(url=f"http://127.0.0.1:{port}/mcp")) as calc:
            async with asyncio.timeout(WITHIN):
                await calc.connection.tried()
            await calc.until(
                lambda: f"MCP server calc unavailable, reconnecting: {said}" in caplog.text
            )


async def test_an_http_server_that_never_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.5)
    heads: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    caplog.set_level(logging.DEBUG, logger="agent")
    async with await asyncio.start_server(take, "127.0.0.1", 0) as deaf:
        port = deaf.sockets[0].getsockname()[1]
        settings = HttpServer.model_validate(
            {"url": f"http://127.0.0.1:{port}/mcp", "headers": {"Authorization": "Bearer hidden"}}
        )
        async with kept(settings) as calc:
            async with asyncio.timeout(WITHIN):
                await calc.connection.tried()
            assert not calc.connection.is_up
    assert b"authorization: bearer hidden" in heads[0].lower()
    assert "hidden" not in caplog.text
    assert "hidden" not in repr(settings)
