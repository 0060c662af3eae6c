"""Fixtures of the tests of tool calls."""

from __future__ import annotations

import pytest

from tests.agent.tool_calls.background_reports import Report


@pytest.fixture
def report() -> Report:
    return Report()
