"""`dev`: everything that a conversation needs, in one command."""

import os
from typing import Annotated

import typer

from agent.cli.command import AppOption, run


def dev(
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Port of the room server; 0 takes a free one. Without it 7880, if that is free.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="IP address of this machine on which the room server lets others in, such as a "
            "phone: 0.0.0.0 for all of them. Without it nobody but this machine comes in.",
            show_default=False,
        ),
    ] = None,
    app: AppOption = None,
    page: Annotated[
        bool, typer.Option(help="Serve a web page to talk with the agent, on this machine alone.")
    ] = True,
    opens: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Run the worker with whatever is not configured: a room server and a demo model.

    A room server is started unless LIVEKIT_URL is set: a `livekit-server` from PATH, else the
    embedded one. The demo model is started unless OPENAI_API_KEY or OPENAI_BASE_URL is set.
    A page to talk with the agent is at http://127.0.0.1:8080, or the next port that is free; it is
    built when it is first used. When files of the app change, its new version takes over. Ctrl-C
    stops all of it.
    """
    from agent.cli.dev_page import DevPageOptions  # noqa: PLC0415 - see agent/cli/__init__.py
    from agent.cli.dev_run import run_dev  # noqa: PLC0415 - see agent/cli/__init__.py

    run(run_dev(os.environ, host, port, app, DevPageOptions(page, opens)))
