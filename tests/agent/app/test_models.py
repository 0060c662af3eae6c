"""Any model: plugins of livekit-agents, several in order, and names for them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from livekit.agents import APIConnectionError, function_tool, llm
from livekit.agents import ToolError as LiveKitToolError
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from livekit.plugins import openai

from agent import App, Persona, Turn
from agent.models import ordered_llms
from agent.models.shared_llm import SharedLLM
from devserver.model import DemoModel, Fault, Reply, tool_call
from tests.agent.conftest import Enter, StartWorker


class Unreachable(llm.LLM[Any]):
    """A plugin whose service cannot be reached."""

    asked = 0

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,  # noqa: ANN401 - LLM's own
    ) -> llm.LLMStream:
        self.asked += 1
        return _NoStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _NoStream(llm.LLMStream):
    async def _run(self) -> None:
        raise APIConnectionError("no route to host")


def plugin(model: DemoModel, name: str = "of-the-plugin") -> llm.LLM[Any]:
    return openai.LLM(model=name, base_url=model.base_url, api_key="key")


async def test_a_plugins_llm_answers_and_calls_tools(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    @function_tool
    async def find_order(number: int) -> str:
        """Find an order.

        Args:
            number: of the order
        """
        if number > 9:
            raise LiveKitToolError("There are nine orders")
        return f"order {number}"

    app = App(llm=lambda: plugin(model), tools=[find_order])
    alice = await enter("alice", worker=await start_worker(app=app, LLM_MODEL="unused"))
    model.script(
        Reply(tool_calls=[tool_call("find_order", f'{{"number": {n}}}') for n in (7, 70)]),
        Reply("Found"),
    )
    assert (await alice.ask("Where is it?")).text == "Found"
    body: Any = model.requests[-1].body
    assert body["model"] == "of-the-plugin"
    results = [each["content"] for each in body["messages"] if each["role"] == "tool"]
    assert results == ["order 7", "There are nine orders"]
    described = body["tools"][0]["function"]
    assert described["name"] == "find_order"
    assert "number" in described["parameters"]["properties"]
    assert await alice.call("find_order", '{"number": 3}') == "order 3"


async def test_a_function_makes_one_model_on_the_main_thread(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    """livekit-agents registers plugins there only, so importing one elsewhere fails."""
    threads: list[threading.Thread] = []

    def make() -> llm.LLM[Any]:
        threads.append(threading.current_thread())
        return plugin(model)

    worker = await start_worker(app=App(llm=make), LLM_MODEL="unused")
    alice, bob = await enter("alice", worker=worker), await enter("bob", room="another")
    model.when("Hi", Reply("Hello"))
    answers = await asyncio.gather(alice.ask("Hi"), bob.ask("Hi"))
    assert [answer.text for answer in answers] == ["Hello", "Hello"]
    assert threads == [threading.main_thread()]


async def test_the_next_model_answers_where_one_is_not_reached(
    start_worker: StartWorker, enter: Enter, model: DemoModel, caplog: pytest.LogCaptureFixture
) -> None:
    first = Unreachable()
    app = App(llm=[first, "the-second"])
    alice = await enter("alice", worker=await start_worker(app=app))
    assert (await alice.ask("Hello")).finish_reason == "stop"
    body: Any = model.requests[-1].body
    assert (first.asked, body["model"]) == (1, "the-second")
    assert "model 1 of 2 failed before its first token" in caplog.text


async def test_the_next_model_answers_where_one_connects_and_stays_silent(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ordered_llms, "FIRST_TOKEN", 0.3)
    model.script(Reply("never", fault=Fault.SILENT), Reply("The second"))
    app = App(llm=[lambda: plugin(model, "silent"), "the-second"])
    alice = await enter("alice", worker=await start_worker(app=app))
    assert (await alice.ask("Hello")).text == "The second"


async def test_agents_metadata_and_hooks_choose_by_name(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    async def choose(turn: Turn) -> None:
        if "think" in turn.text:
            turn.model = "slow"

    def name() -> str:
        body: Any = model.requests[-1].body
        return body["model"]

    app = App(
        {"quick": Persona("Q", llm="fast"), "plain": Persona("P")},
        models={"fast": "gpt-fast", "slow": ["gpt-slow"], "other": "gpt-other"},
        before_answer=choose,
    )
    worker = await start_worker(app=app, LLM_MODEL="gpt-plain")
    alice = await enter("alice", worker=worker)
    await alice.ask("Hello")
    assert name() == "gpt-fast"
    await alice.ask("Please think")
    assert name() == "gpt-slow"
    await alice.ask("Hello")
    assert name() == "gpt-fast"
    room = alice.room.name
    plain = '{"agent": "plain"}'
    bob = await enter("bob", worker=worker, room=f"{room}-2", metadata=plain)
    await bob.ask("Hello")
    assert name() == "gpt-plain"
    metadata = '{"agent": "plain", "model": "other"}'
    carol = await enter("carol", worker=worker, room=f"{room}-3", metadata=metadata)
    await carol.ask("Hello")
    assert name() == "gpt-other"


async def test_a_function_that_makes_no_model(
    start_worker: StartWorker, enter: Enter, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> llm.LLM[Any]:
        raise ValueError("no key")

    alice = await enter("alice", worker=await start_worker(app=App(llm=fail)))
    answer = await alice.ask("Hello")
    assert answer.finish_reason == "error"
    assert "the app's model function failed" in caplog.text


def test_a_function_that_makes_a_realtime_model(caplog: pytest.LogCaptureFixture) -> None:
    def make() -> Any:  # noqa: ANN401 - the mistake
        return openai.realtime.RealtimeModel(api_key="of no account")

    with pytest.raises(APIConnectionError):
        SharedLLM(make, _unused).make()
    assert "returned a RealtimeModel, expected an LLM: a realtime model is for" in caplog.text


async def _unused(_: object) -> None:
    pytest.fail("not on another thread")
