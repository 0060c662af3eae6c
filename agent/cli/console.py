"""The console script of an installed package: `livekit-room-agent`."""

from __future__ import annotations

from typing import Final

PROGRAM: Final = "livekit-room-agent"


def main() -> None:
    """The same as `python -m agent`."""
    from agent.cli import app  # noqa: PLC0415 - what a shell completes needs none of it
    from agent.processes.process_end import run_and_end  # noqa: PLC0415 - as above

    run_and_end(lambda: app(prog_name=PROGRAM))
