"""`python -m devserver`: its arguments, its words, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from typing import TYPE_CHECKING

import aiohttp
import pytest
from livekit import api

from devserver.__main__ import arguments

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

WITHIN = 40.0
SECRET = "thirty-two characters or more, for tests"  # noqa: S105  # signs nothing else


@contextlib.asynccontextmanager
async def command(
    *args: str, stdin: int | None = None, **environ: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("LIVEKIT_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "devserver",
        *args,
        env=clean | environ,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def greeting(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN):
        return b"".join([await process.stdout.readline() for _ in range(2)]).decode()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_it_is_asked_to_end(ending: signal.Signals) -> None:
    async with command("--port", "0", "--key", "mykey", LIVEKIT_API_SECRET=SECRET) as process:
        words = await greeting(process)
        assert "for development" in words
        assert SECRET not in words
        found = re.search(r"ws://127\.0\.0\.1:\d+", words)
        assert found is not None
        url = found.group().replace("ws", "http")
        async with api.LiveKitAPI(url, "mykey", SECRET) as client:
            assert not (await client.room.list_rooms(api.ListRoomsRequest())).rooms
        process.send_signal(ending)
        async with asyncio.timeout(WITHIN):
            out, err = await process.communicate()
        assert (process.returncode, out, err) == (0, b"", b"")


async def test_a_port_that_is_taken_is_named() -> None:
    async with command("--port", "0") as first:
        port = (await greeting(first)).partition("127.0.0.1:")[2].partition(",")[0]
        async with command("--port", port) as second:
            async with asyncio.timeout(WITHIN):
                _, err = await second.communicate()
            assert second.returncode == 1
            assert f"cannot serve on 127.0.0.1:{port}" in err.decode()


async def test_it_ends_with_its_standard_input() -> None:
    async with command(
        "--port", "0", "--stop-with-stdin", stdin=asyncio.subprocess.PIPE
    ) as process:
        await greeting(process)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(WITHIN):
            out, err = await process.communicate()
        assert (process.returncode, out, err) == (0, b"", b"")


async def test_sigterm_ends_the_command_beside_it() -> None:
    waiting = "import signal; print('up', flush=True); signal.pause()"
    async with command("--", sys.executable, "-c", waiting) as process:
        assert process.stdout is not None
        async with asyncio.timeout(WITHIN):
            assert await process.stdout.readline() == b"up\n"
            process.terminate()
            await process.wait()
        assert process.returncode == 128 + signal.SIGTERM


async def test_a_command_does_not_read_what_the_server_ends_with() -> None:
    waiting = "import signal, sys; print(repr(sys.stdin.read()), flush=True); signal.pause()"
    async with command(
        "--stop-with-stdin", "--", sys.executable, "-c", waiting, stdin=asyncio.subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        async with asyncio.timeout(WITHIN):
            assert await process.stdout.readline() == b"''\n"
            process.stdin.close()
            await process.wait()
        assert process.returncode == 128 + signal.SIGTERM


async def test_a_command_that_is_not_there_is_named() -> None:
    async with command("--", "no-such-program") as process:
        async with asyncio.timeout(WITHIN):
            _, err = await process.communicate()
        assert process.returncode == 127
        assert err.endswith(b"cannot run no-such-program: No such file or directory\n")


def test_options_after_the_command_are_its_own() -> None:
    args = arguments(["--timing", "instant", "go", "test", "-v", "--port", "1"])
    assert (args.command, args.timing, args.port) == (
        ["go", "test", "-v", "--port", "1"],
        "instant",
        0,
    )
    assert arguments(["--port", "5", "--", "true"]).port == 5
    assert arguments([]).port == 7880


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--port", "http"], "argument --port: invalid"),
        (["--port", "70000"], "argument --port: invalid"),
        (["--timing", "fast"], "argument --timing: invalid choice: 'fast'"),
        (["--unheard-of"], "unrecognized arguments: --unheard-of"),
        (["--host", "0.0.0.0"], "not a loopback address"),  # noqa: S104  # it is refused
        (["--host", "example.org"], "not a loopback address"),
        (["--key", ""], "--key must not be empty"),
        (["--secret", ""], "--secret must not be empty"),
    ],
)
def test_bad_arguments_end_it_with_status_2(
    args: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        arguments(args)
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_an_address_of_ipv6_is_printed_as_a_url_has_it() -> None:
    async with command("--port", "0", "--host", "::1") as process:
        found = re.search(r"ws://(\[::1\]:\d+)", await greeting(process))
        assert found is not None
        async with aiohttp.ClientSession() as http, http.get(f"http://{found[1]}/") as response:
            assert (response.status, await response.text()) == (200, "OK")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_no_permission(host: str) -> None:
    assert arguments(["--host", host]).host == host


def test_any_host_may_be_permitted() -> None:
    assert arguments(["--host", "0.0.0.0", "--allow-any-host"]).host == "0.0.0.0"  # noqa: S104  # parsed only


def test_key_and_secret_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", "from-environment")
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    args = arguments([])
    assert (args.key, args.secret) == ("from-environment", SECRET)
    args = arguments(["--key", "given", "--secret", "given-secret"])
    assert (args.key, args.secret) == ("given", "given-secret")
