"""Workers without MCP servers do not load MCP."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

LOADED = """
import json, sys
import agent.worker
loaded = [name for name in ("mcp", "jsonschema") if name in sys.modules]
print(json.dumps(loaded))
"""


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        pytest.param("{}", [], marks=pytest.mark.lengthy),
        ('{"calc": {"command": "calc"}}', ["mcp", "jsonschema"]),
    ],
)
def test_mcp_is_imported_where_a_server_is_configured(servers: str, expected: list[str]) -> None:
    environ = {**os.environ, "MCP_SERVERS": servers, "OPENAI_API_KEY": "key"}
    printed = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", LOADED], env=environ, check=True, capture_output=True, timeout=60
    ).stdout
    assert json.loads(printed) == expected
