"""Runs the room server alone: `python -m devserver`."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from devserver.server import RoomServer

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVELOPMENT_KEY = "devkey"
DEVELOPMENT_SECRET = "secret" * 6  # known to everyone: who wants another one says so


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line's arguments; ends the process with status 2 if they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m devserver",
        description="A LiveKit-compatible room server for development, not for production.",
    )
    parser.add_argument(
        "--port", type=_port, default=7880, help="0 takes a free one (default 7880)"
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
        help="tell this URL of every event; may be given several times",
    )
    parser.add_argument(
        "--timing",
        choices=("livekit", "instant"),
        default="livekit",
        help="when participants and counts become visible: as late as in livekit-server, or at "
        "once (default livekit)",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens")
    args = parser.parse_args(argv)
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
    )
    try:
        asyncio.run(_serve(server))
    except OSError as error:
        print(f"cannot serve on {args.host}:{args.port}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _serve(server: RoomServer) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with server:
        print(  # noqa: T201
            f"LiveKit-compatible room server for development, not for production\n"
            f"listening on {server.url}, API key {server.api_key}",
            flush=True,
        )
        await stop.wait()


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
