"""The stored identity of the commands: a returning user is the same person to the agent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.cli.command import made_up_identity

_FORM: Final = re.compile(r"cli-[0-9a-f]{8}")


def kept_identity(environ: Mapping[str, str]) -> str:
    """The stored identity of earlier commands, or a new one that later commands will use.

    It is stored in `$XDG_STATE_HOME`, or `~/.local/state`. If neither can be written, it is new
    each time.
    """
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or "~") / ".local/state")
    path = Path(home).expanduser() / "livekit-room-agent" / "identity"
    try:
        kept = path.read_text().strip()
        if _FORM.fullmatch(kept):
            return kept
    except (OSError, UnicodeDecodeError):
        pass
    identity = made_up_identity()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(identity + "\n")
    except OSError:
        pass
    return identity
