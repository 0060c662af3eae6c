"""`page`: the page of `dev`, for an agent that runs elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.command import FAILED, CommandError, run, show

if TYPE_CHECKING:
    from collections.abc import Mapping


def page(
    opens: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve the page of `dev` for an agent that runs elsewhere, on this machine alone.

    The agent is that of LIVEKIT_URL and AGENT_NAME. The page lets everybody of this machine into
    any of its rooms.
    """
    run(_serve(os.environ, opens=opens))


async def _serve(environ: Mapping[str, str], *, opens: bool) -> None:
    """Serves the page until SIGTERM or SIGINT.

    Raises:
        CommandError: there is no room server, no source of the page, or no free port.
    """
    import asyncio  # noqa: PLC0415 - see agent/cli/__init__.py
    import signal  # noqa: PLC0415 - as above
    import webbrowser  # noqa: PLC0415 - as above

    from agent.cli.dev_page import DevPageOptions, dev_page  # noqa: PLC0415 - as above
    from agent.cli.target import find_target  # noqa: PLC0415 - as above

    target = find_target(environ)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with dev_page(DevPageOptions(opens=opens), target, environ) as served:
        if served is None:
            raise CommandError("the installed package has no page: run this in a checkout", FAILED)
        show(f"page at {served.url}, for {target.url}; everybody of this machine may join any room")
        if opens:
            webbrowser.open(served.url)
        await stopped.wait()
