"""livekit-agents' own Agent classes as agents of an app, in writing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import pytest
from livekit import api
from livekit.agents import (
    Agent,
    AgentSession,
    ModelSettings,
    RunContext,
    StopResponse,
    ToolError,
    function_tool,
    llm,
)

from agent import App
from devserver.model import DemoModel, Fault, Reply
from tests.agent.app.session_room import (
    Archive,
    active_agent,
    calling,
    history,
    offered,
    read_by,
    unasked,
)
from tests.agent.conftest import Enter, StartWorker
from toolkit import tool


@dataclass
class Basket:
    """The context that a session keeps."""

    books: list[str] = field(default_factory=list[str])


class Shop(Agent):
    """Greets, and looks orders up."""

    def __init__(self) -> None:
        super().__init__(instructions="You help customers of a book shop.")

    async def on_enter(self) -> None:
        await self.session.say("Hello, how can I help?")

    @function_tool
    async def find_order(self, context: RunContext[Basket], number: str) -> str:
        """Find an order by its number."""
        if number == "0":
            raise ToolError("there is no such order")
        return f"order {number} is on its way"

    @function_tool
    async def put_in_basket(self, context: RunContext[Basket], book: str) -> str:
        """Put a book in the basket."""
        context.userdata.books.append(book)
        return ", ".join(context.userdata.books)


def shop_with_basket() -> tuple[AgentSession[Basket], Agent]:
    return AgentSession[Basket](userdata=Basket(), vad=None), Shop()


async def test_it_greets_and_answers_with_its_tools(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App({"shop": Shop}))
    alice = await enter("alice", worker=worker)
    [greeting] = await alice.until(lambda: unasked(alice))
    assert (greeting.text, greeting.finish_reason) == ("Hello, how can I help?", "stop")
    model.script(calling("find_order", '{"number": "17"}'), Reply("It is on its way."))
    answer = await alice.ask("Where is 17?")
    assert (answer.text, answer.finish_reason) == ("It is on its way.", "stop")
    assert answer.attributes["lk.segment_id"].startswith("SG_")
    mirror = await alice.answer_to(answer.in_reply_to, "lk.transcription")
    assert mirror.text == "It is on its way."
    assert read_by(model) == [
        ("system", "You help customers of a book shop."),
        ("assistant", "Hello, how can I help?"),
        ("user", "Where is 17?"),
        ("assistant", None),
        ("tool", "order 17 is on its way"),
    ]
    stored = await history(alice)
    assert [(each["text"], each.get("agent")) for each in stored] == [
        ("Hello, how can I help?", "shop"),
        ("Where is 17?", None),
        ("It is on its way.", "shop"),
    ]
    assert active_agent(alice) == "shop"
    assert len(unasked(alice)) == 1


async def test_calls_of_its_tools_are_reported_like_all_others(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    @tool
    async def look_up(word: str) -> str:
        """Look a word up."""
        return f"{word} is a word"

    worker = await start_worker(app=App({"shop": Shop}, tools=[look_up]))
    alice = await enter("alice", worker=worker)
    model.script(
        calling("find_order", '{"number": "0"}'), calling("lookUp", '{"word": "x"}'), Reply("Done.")
    )
    asked = await alice.say("Where is 0?")
    assert (await alice.answer_to(asked)).text == "Done."
    assert offered(model) == ["lookUp", "find_order", "put_in_basket"]
    started = await alice.notice("tool.started", tool="find_order")
    assert started["inReplyTo"] == asked
    finished = await alice.notice("tool.finished", tool="find_order")
    assert (finished["callId"], finished["outcome"], finished["code"]) == (
        started["callId"],
        "error",
        500,
    )
    assert (await alice.notice("tool.finished", tool="lookUp"))["outcome"] == "ok"
    assert len(alice.notices("tool.started")) == 2
    parts = await alice.parts_of(asked)
    assert [(part["name"], part["state"]) for part in parts] == [
        ("find_order", "failed"),
        ("lookUp", "done"),
    ]
    assert read_by(model, -2)[-1] == ("tool", "there is no such order")


async def test_each_conversation_has_a_session_with_userdata_of_its_own(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App({"shop": shop_with_basket}))
    alice = await enter("alice", worker=worker)
    await alice.until(lambda: unasked(alice))
    model.script(calling("put_in_basket", '{"book": "Emma"}'), Reply("One."))
    await alice.ask("Emma, please")
    model.script(calling("put_in_basket", '{"book": "Persuasion"}'), Reply("Two."))
    await alice.ask("And Persuasion")
    assert read_by(model)[-1] == ("tool", "Emma, Persuasion")
    bob = await enter("bob", worker=worker)
    model.script(calling("put_in_basket", '{"book": "Ulysses"}'), Reply("One, for you."))
    asked = await bob.say("Ulysses, for me alone", scope="private")
    await bob.notice("answer.finished", inReplyTo=asked)
    assert ("tool", "Ulysses") in read_by(model)
    assert all(role != "user" or text == "Ulysses, for me alone" for role, text in read_by(model))
    # A participant who has asked already is not greeted.
    [question, answer] = await history(bob, "private:bob")
    assert (question["id"], answer["text"]) == (asked, "One, for you.")
    assert not alice.received("One, for you.")


class Nodes(Agent):
    """Changes what it reads, thinks and writes."""

    def __init__(self) -> None:
        super().__init__(instructions="You are careful.")

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        if new_message.text_content == "psst":
            raise StopResponse
        if new_message.text_content == "fail":
            raise RuntimeError("on purpose")
        turn_ctx.add_message(role="assistant", content="A fact from a library.")

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncIterator[llm.ChatChunk | str]:
        yield "<"
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield cast("llm.ChatChunk", chunk)
        yield ">"

    async def transcription_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncIterator[str]:
        async for piece in text:
            yield piece.upper()


async def test_its_nodes_make_what_is_read_and_said(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App({"nodes": Nodes}))
    alice = await enter("alice", worker=worker)
    model.script(Reply("yes"))
    assert (await alice.ask("Is it so?")).text == "<YES>"
    assert ("assistant", "A fact from a library.") in read_by(model)
    requests = len(model.requests)
    silent = await alice.ask("psst")
    assert (silent.text, silent.finish_reason) == ("", "stop")
    assert len(model.requests) == requests
    failed = await alice.ask("fail")
    assert failed.finish_reason == "error"
    model.script(Reply("again"))
    assert (await alice.ask("Once more")).text == "<AGAIN>"
    assert [text for role, text in read_by(model) if role == "user"] == [
        "Is it so?",
        "Once more",
    ]


async def test_a_model_failure_is_reported_and_the_session_goes_on(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App({"archive": Archive}), LLM_RETRIES="0")
    alice = await enter("alice", worker=worker)
    for _ in range(5):
        model.script(Reply(status=500))
        failed = await alice.ask("Hello")
        assert failed.finish_reason == "error"
        assert failed.text
    model.script(Reply("Half of it", fault=Fault.CUT, after=1))
    broken = await alice.ask("Hello")
    assert broken.finish_reason == "error"
    assert broken.text.startswith("Half")
    model.script(Reply("Here I am."))
    assert (await alice.ask("Hello")).text == "Here I am."


async def test_an_answer_is_stopped_and_goes_on_where_it_must_not_be(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Careful(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="You pay.")

        @function_tool
        async def pay(self, context: RunContext[None]) -> str:
            """Pay."""
            context.disallow_interruptions()
            begun.set()
            await go_on.wait()
            return "paid"

    worker = await start_worker(app=App({"careful": Careful}))
    alice = await enter("alice", worker=worker)
    pause = asyncio.Event()
    model.script(Reply("It was a dark and stormy night", pause=pause, after=3))
    asked = await alice.say("Tell me a story")
    await alice.begun_answer_to(asked)
    assert json.loads(await alice.call("stopResponse")) == {"stopped": [asked]}
    assert (await alice.answer_to(asked)).finish_reason == "cancelled"
    model.script(calling("pay"), Reply("It is paid."))
    asked = await alice.say("Pay")
    await begun.wait()
    assert json.loads(await alice.call("stopResponse")) == {"stopped": []}
    go_on.set()
    assert (await alice.answer_to(asked)).text == "It is paid."
    pause.set()


async def test_edited_and_deleted_messages_are_so_for_its_agents(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App({"archive": Archive}), REPLY_POLICY="mention")
    alice = await enter("alice", worker=worker)
    model.script(Reply("One."), Reply("Two."))
    first = await alice.ask("@Agent my number is 1")
    second = await alice.ask("@Agent my name is Al")
    overheard = await alice.say("this is for Bob")
    await alice.call("deleteMessage", json.dumps({"messageId": first.in_reply_to}))
    model.script(Reply("Three."))
    await alice.call(
        "editMessage",
        json.dumps({"messageId": second.in_reply_to, "text": "@Agent my name is Ada"}),
    )
    await alice.until(lambda: alice.received("Three."))
    model.script(Reply("Four."))
    await alice.ask("@Agent who am I?")
    assert [text for _, text in read_by(model)] == [
        "You know old things.",
        "@Agent my name is Ada",
        "Three.",
        "this is for Bob",
        "@Agent who am I?",
    ]
    assert overheard


async def test_it_continues_a_restored_conversation_without_a_greeting(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    tmp_path: object,
    lk_api: api.LiveKitAPI,
) -> None:
    database = f"sqlite:///{tmp_path}/shared.db"
    first = await start_worker(app=App({"shop": Shop}), DATABASE_URL=database)
    alice = await enter("alice", worker=first)
    await alice.until(lambda: unasked(alice))
    model.script(Reply("Yes."))
    await alice.ask("Are you there?")
    former = alice.agent_sid
    await first.server.aclose()
    second = await start_worker(app=App({"shop": Shop}), DATABASE_URL=database)
    dispatch = api.CreateAgentDispatchRequest(agent_name=second.name, room=alice.room.name)
    await lk_api.agent_dispatch.create_dispatch(dispatch)
    await alice.until_ready_again(former)
    model.script(Reply("Still."))
    await alice.ask("Still there?")
    assert [text for _, text in read_by(model)] == [
        "You help customers of a book shop.",
        "Hello, how can I help?",
        "Are you there?",
        "Yes.",
        "Still there?",
    ]
    assert len(unasked(alice)) == 1


async def test_its_unasked_text_is_an_answer_of_its_own(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    due = asyncio.Event()

    class Reminder(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="You remind.")
            self._task: asyncio.Task[None] | None = None

        async def on_enter(self) -> None:
            self._task = asyncio.create_task(self._remind())

        async def on_exit(self) -> None:
            assert self._task is not None
            await self._task

        async def _remind(self) -> None:
            await due.wait()
            self.session.generate_reply(instructions="Remind them of lunch.")

        @function_tool
        async def remind(self) -> None:
            """Remind everybody later."""

    worker = await start_worker(app=App({"reminder": Reminder}))
    alice = await enter("alice", worker=worker)
    model.script(calling("remind"), Reply("It is time for lunch."))
    asked = await alice.say("Remind us")
    answer = await alice.answer_to(asked)
    assert (answer.text, answer.finish_reason) == ("", "stop")
    due.set()
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "It is time for lunch."
    model.script(Reply("Noon."))
    await alice.ask("When?")
    assert ("assistant", "It is time for lunch.") in read_by(model)


async def test_a_failing_factory_is_an_error_for_the_sender(
    start_worker: StartWorker, enter: Enter, model: DemoModel, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    def make() -> Agent:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("the database is away")
        return Archive()

    worker = await start_worker(app=App({"archive": make}))
    alice = await enter("alice", worker=worker)
    failed = await alice.ask("Hello")
    assert failed.finish_reason == "error"
    assert "agent could not be created" in caplog.text
    model.script(Reply("Here I am."))
    assert (await alice.ask("Hello")).text == "Here I am."
