"""`top`: a live view of the worker on this machine."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from agent.cli.command import run


def top(
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65_535,
            help="Port of the worker's health page. Without it, HTTP_PORT.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between updates.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Show the figures once, and end.")] = False,
) -> None:
    """Show processes and rooms of the worker on this machine, live."""
    from agent.cli.top_view import watch  # noqa: PLC0415 - see agent/cli/__init__.py

    run(watch(os.environ, port=port, every=every, once=once))
