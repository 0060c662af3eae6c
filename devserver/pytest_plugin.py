"""A room server as a pytest fixture, for anybody's tests.

pytest loads this by itself where `livekit-devserver` is installed. From a checkout of its sources,
in the project's `conftest.py`::

    pytest_plugins = ["devserver.pytest_plugin"]

and in a test::

    async def test_something(livekit_server):
        await room.connect(livekit_server.url, token)

It needs pytest-asyncio, in either of its modes; without that there is no fixture. The ini option
`livekit_server_timing` is `livekit`, so that a test which passes here passes on livekit-server, or
`instant`.

Every run of pytest loads this plugin where it is installed, so the server itself is only imported
with its first test.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_TIMING = "livekit_server_timing"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the server's timing."""
    parser.addini(_TIMING, "timing of livekit_server: livekit or instant", default="livekit")


def pytest_configure(config: pytest.Config) -> None:
    """Add the fixture, where pytest-asyncio can run it."""
    if find_spec("pytest_asyncio") is not None:
        config.pluginmanager.import_plugin("devserver.pytest_fixture")
