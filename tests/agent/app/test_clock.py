"""A clock that is set back changes no order of a conversation that a livekit Agent leads."""

from __future__ import annotations

import time

import pytest
from livekit.agents import Agent, llm

from agent import App
from agent.chat.item_times import end_by_now
from devserver.model import DemoModel, Reply
from tests.agent.app.session_room import read_by
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker

SET_BACK = 3_600.0


class Shop(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You help.")


def test_items_of_the_future_keep_their_order_and_come_before_new_ones() -> None:
    now = time.time()
    items: list[llm.ChatItem] = [
        llm.ChatMessage(role="user", content=[str(number)], created_at=now + offset)
        for number, offset in enumerate((-10, 60, 120))
    ]
    context = llm.ChatContext(items)
    end_by_now(context.items)
    context.insert(llm.ChatMessage(role="user", content=["3"], created_at=time.time()))
    assert [message.text_content for message in context.messages()] == ["0", "1", "2", "3"]
    assert items[0].created_at == now - 10


async def told_in_order(
    client: ChatClient, model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, object]]:
    """The model's messages at the third question, with the clock set back after the first."""
    model.script(Reply("First."))
    await client.ask("one")
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() - SET_BACK)
    for number, answer in (("two", "Second."), ("three", "Third.")):
        model.script(Reply(answer))
        await client.ask(number)
    return read_by(model)


async def test_the_model_reads_messages_in_the_order_they_came(
    start_worker: StartWorker, enter: Enter, model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await enter("alice", worker=await start_worker(app=App({"shop": Shop})))
    assert await told_in_order(alice, model, monkeypatch) == [
        ("system", "You help."),
        ("user", "one"),
        ("assistant", "First."),
        ("user", "two"),
        ("assistant", "Second."),
        ("user", "three"),
    ]
