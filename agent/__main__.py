"""`python -m agent`: see agent/cli/."""

import importlib.util
import os
import sys
from pathlib import Path


def _use_venv() -> None:
    """Continues in the checkout's own environment if this Python lacks the dependencies."""
    python = Path(__file__).resolve().parent.parent / ".venv" / "bin" / "python"
    if importlib.util.find_spec("typer") is not None:
        return
    if not python.exists() or Path(sys.prefix) == python.parent.parent:
        sys.exit("The dependencies are not installed: `make dev` installs them into .venv.")
    os.execv(python, [str(python), "-m", "agent", *sys.argv[1:]])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    _use_venv()
    from agent.cli import app
    from agent.processes.process_end import run_and_end

    run_and_end(lambda: app(prog_name="python -m agent"))
