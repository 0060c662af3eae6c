"""`doctor`: checks of the setup, with advice for what fails."""

import os

from agent.cli.command import run


def doctor() -> None:
    """Check the settings, the room server, the model and the weather service."""
    from agent.cli.checkup import check_everything  # noqa: PLC0415 - see agent/cli/__init__.py

    run(check_everything(os.environ))
