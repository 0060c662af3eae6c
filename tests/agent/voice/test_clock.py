"""A clock that is set back changes no order of a conversation that is answered aloud."""

from __future__ import annotations

import time

import pytest

from devserver.model import DemoModel, Reply
from tests.agent.app.session_room import read_by
from tests.agent.app.test_clock import SET_BACK
from tests.agent.voice.conftest import Meet


async def test_the_model_reads_messages_in_the_order_they_came(
    meet: Meet, model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await meet("alice")
    model.script(Reply("First."))
    await alice.ask("one")
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() - SET_BACK)
    for number, answer in (("two", "Second."), ("three", "Third.")):
        model.script(Reply(answer))
        await alice.ask(number)
    assert read_by(model)[1:] == [
        ("user", "one"),
        ("assistant", "First."),
        ("user", "two"),
        ("assistant", "Second."),
        ("user", "three"),
    ]
