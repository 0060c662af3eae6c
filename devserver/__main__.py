"""`python -m devserver` or `livekit-devserver`: the room server alone, or a command beside it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from devserver import child_command
from devserver.server import RoomServer

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVELOPMENT_KEY = "devkey"
DEVELOPMENT_SECRET = "secret" * 6  # known to everyone; an option sets another one
DEFAULT_PORT = 7880
NO_COMMAND = 127  # the shell's status for a command that it does not find


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line's arguments; ends the process with status 2 if they are wrong."""
    parser = argparse.ArgumentParser(
        prog=_program(),
        description="A LiveKit-compatible room server for development, not for production.",
    )
    parser.add_argument(
        "--port",
        type=_port,
        help="0 takes a free one (default 7880, or a free one with a COMMAND)",
    )
    parser.add_argument(
        "--key",
        default=os.environ.get("LIVEKIT_API_KEY") or DEVELOPMENT_KEY,
        help="API key (default: LIVEKIT_API_KEY, else devkey)",
    )
    parser.add_argument(
        "--secret",
        default=os.environ.get("LIVEKIT_API_SECRET") or DEVELOPMENT_SECRET,
        help="API secret (default: LIVEKIT_API_SECRET, else 'secret' six times over)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default 127.0.0.1)")
    parser.add_argument(
        "--allow-any-host",
        action="store_true",
        help="bind a --host that other machines can reach: anybody with the secret may come in",
    )
    parser.add_argument(
        "--webhook-url",
        action="append",
        default=[],
        metavar="URL",
        help="post every event to this URL; may be given several times",
    )
    parser.add_argument(
        "--timing",
        choices=("livekit", "instant"),
        default="livekit",
        help="when participants and counts become visible: as late as in livekit-server, or at "
        "once (default livekit)",
    )
    parser.add_argument(
        "--test-api",
        action="store_true",
        help="let tests in other languages read the record of packets, cause faults and restart "
        "the server, at /test/",
    )
    parser.add_argument(
        "--stop-with-stdin",
        action="store_true",
        help="end when the standard input is closed, for example because the program that started "
        "the server ended",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens")
    parser.add_argument(
        "command",
        nargs=argparse.REMAINDER,
        metavar="-- COMMAND",
        help="run this command with LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET of the "
        "server, and end with it and with its status",
    )
    args = parser.parse_args(argv)
    if args.command[:1] == ["--"]:
        del args.command[0]
    if args.port is None:
        args.port = 0 if args.command else DEFAULT_PORT
    if not args.allow_any_host and not _is_loopback(args.host):
        parser.error(f"--host {args.host} is not a loopback address; --allow-any-host permits it")
    for name in ("key", "secret"):
        if not getattr(args, name):
            parser.error(f"--{name} must not be empty")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGINT or SIGTERM, and returns the exit status."""
    args = arguments(argv)
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    server = RoomServer(
        args.host,
        args.port,
        api_key=args.key,
        api_secret=args.secret,
        webhook_urls=args.webhook_url,
        timing=args.timing,
        test_api=args.test_api,
    )
    try:
        return asyncio.run(_serve(server, args.command, stop_with_stdin=args.stop_with_stdin))
    except OSError as error:
        print(f"cannot serve on {args.host}:{args.port}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1


async def _serve(server: RoomServer, command: Sequence[str], *, stop_with_stdin: bool) -> int:
    """Serve until the command ends or a signal comes; return the exit status.

    Raises OSError if the port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with server:
        print(
            f"LiveKit-compatible room server for development, not for production\n"
            f"listening on {server.url}, API key {server.api_key}",
            file=sys.stderr if command else sys.stdout,
            flush=True,
        )
        if stop_with_stdin:
            _read_to_the_end(loop, stop)
        if not command:
            await stop.wait()
            return 0
        environ = {
            "LIVEKIT_URL": server.url,
            "LIVEKIT_API_KEY": server.api_key,
            "LIVEKIT_API_SECRET": server.api_secret,
        }
        try:
            return await child_command.run(command, environ, stop, has_stdin=not stop_with_stdin)
        except OSError as error:
            print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
            return NO_COMMAND


def _read_to_the_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set ``stop`` when the standard input ends. A thread reads: it may be a file, too."""

    def read() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop has ended before
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=read, name="standard input", daemon=True).start()


def _program() -> str:
    name = Path(sys.argv[0]).name
    return "python -m devserver" if name == "__main__.py" else name


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
