"""`tokens`: a token endpoint, in LiveKit's standard form."""

from __future__ import annotations

import os

from agent.cli.command import run


def tokens() -> None:
    """Give tokens to apps over HTTP: for development on loopback, or by their users' identity."""
    from agent.cli.token_server import serve_tokens  # noqa: PLC0415 - see agent/cli/__init__.py

    run(serve_tokens(os.environ))
