"""`schemas`: the wire format, for programs that generate clients."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from agent.cli.command import show


def schemas(
    typescript: Annotated[
        bool, typer.Option("--typescript", help="Write TypeScript declarations instead.")
    ] = False,
) -> None:
    """Write the JSON schemas of parts, notices, packets and RPC methods to standard output."""
    from agent.cli.typescript import declarations  # noqa: PLC0415 - see agent/cli/__init__.py
    from agent.cli.wire_schemas import wire_schemas  # noqa: PLC0415 - as above

    found = wire_schemas()
    text = declarations(found) if typescript else json.dumps(found, indent=2, ensure_ascii=False)
    show(text.rstrip("\n"))
