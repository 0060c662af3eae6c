"""The log of a supervisor: records as livekit-agents' production log writes them.

The workers use livekit/agents/cli/log.py, which loads all of livekit-agents.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Final

_TRACE: Final = 5
"""A level of livekit-agents."""


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "message": record.getMessage(),
            "level": record.levelname,
            "name": record.name,
        }
        if record.exc_info:
            said["exc_info"] = self.formatException(record.exc_info)
        if region := os.environ.get("LIVEKIT_REGION_NAME"):
            said["region"] = region
        said |= {
            "pid": record.process,
            "code.file.path": record.pathname,
            "code.function.name": record.funcName,
            "code.line.number": record.lineno,
            "timestamp": datetime.fromtimestamp(record.created, tz=UTC).isoformat(),
        }
        return json.dumps(said)


def set_up(level: str) -> None:
    """Logs to standard output from this level on."""
    logging.addLevelName(_TRACE, "TRACE")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
