"""The topic that docs/data.md adds works as it stands there."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from agent.data.topics import TOPICS
from agent.room import room_components
from tests.agent.clients.document import examples
from tests.agent.conftest import Enter


async def test_the_topic_of_the_guide_passes_its_test(
    enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, test = examples("data.md", "python")["A topic of your own"]
    module = ModuleType("agent.data.poll")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(file, "agent/data/poll.py", "exec"), vars(module))  # noqa: S102 - the example
    monkeypatch.setattr(room_components, "TOPICS", (*TOPICS, module.POLL))
    names: dict[str, Any] = {}
    exec(compile(test, "tests/agent/test_poll.py", "exec"), names)  # noqa: S102 - the example
    await names["test_votes_are_counted_once"](enter)
