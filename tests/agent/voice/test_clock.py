"""A clock that is set back changes no order of a conversation that is answered aloud."""

from __future__ import annotations

import pytest

from devserver.model import DemoModel
from tests.agent.app.test_clock import told_in_order
from tests.agent.voice.conftest import Meet


async def test_the_model_reads_messages_in_the_order_they_came(
    meet: Meet, model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await meet("alice")
    told = await told_in_order(alice, model, monkeypatch)
    assert told[1:] == [
        ("user", "one"),
        ("assistant", "First."),
        ("user", "two"),
        ("assistant", "Second."),
        ("user", "three"),
    ]
