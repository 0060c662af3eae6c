"""Limits of one answer: the tokens that the model writes, and the results of its tools."""

from __future__ import annotations

import asyncio

from livekit.agents import llm

from agent.chat.context import MAX_NOTES, Context, ContextLimits
from agent.chat.turns import tokens_of
from agent.inbox.message import Form, IncomingMessage, Sender
from agent.tool_calls.result_budget import LEFT_OUT, ResultBudget
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.app.test_unasked import unasked
from tests.agent.conftest import Enter, StartWorker
from toolkit import ToolContext
from toolkit.tool import tool

LONG = 100_000


@tool
async def recite() -> str:
    """Recite."""
    return "é" * LONG


async def test_the_model_gets_the_limit_of_tokens_to_write(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(LLM_MAX_COMPLETION_TOKENS="77")
    alice = await enter("alice", worker=worker)
    await alice.ask("hello")
    assert model.requests[-1].body["max_completion_tokens"] == 77


async def test_results_of_all_calls_of_an_answer_fit_into_the_context(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(tools=[recite], MAX_CONTEXT_TOKENS="4000")
    alice = await enter("alice", worker=worker)
    again = Reply(tool_calls=[tool_call("recite", "{}")])
    model.script(again, again, Reply("Done."))
    assert (await alice.ask("recite")).text == "Done."
    # Other requests are made for a summary.
    results = [request.chat.tool_results for request in model.requests]
    (first, second) = [text for _, text in max(results, key=len)]
    assert first.endswith(LEFT_OUT)
    assert second == LEFT_OUT
    assert len(first.encode()) <= 4 * 4000 + len(LEFT_OUT) + 1


async def test_results_of_calls_in_the_background_fit_into_the_context_together(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    end, loops = asyncio.Event(), list[asyncio.AbstractEventLoop]()

    @tool(timeout=60)
    async def recite_later(context: ToolContext) -> str:
        """Recite, later."""
        context.background()
        loops.append(asyncio.get_running_loop())
        await end.wait()
        return "é" * LONG

    worker = await start_worker(tools=[recite_later], MAX_CONTEXT_TOKENS="4000")
    alice = await enter("alice", worker=worker)
    model.script(Reply(tool_calls=[tool_call("reciteLater") for _ in range(3)]), Reply("Soon."))
    assert (await alice.ask("recite")).text == "Soon."
    loops[0].call_soon_threadsafe(end.set)
    await alice.until(lambda: unasked(alice)[2:])
    sent = [[m.text for m in request.chat.messages] for request in model.requests]
    for before in sent[-3:]:
        [told] = [text for text in before if "has ended with this result:\né" in text]
        assert told.count("has ended with this result:\né") == 3
    assert max(sum(len(text.encode()) for text in each) for each in sent) < 4 * 4_000 * 1.1


def later(number: int) -> IncomingMessage:
    text = "word " * 400
    return IncomingMessage(str(number), Sender("ann", "Ann"), text, 0, Form.STREAM)


def test_a_context_is_cut_when_notes_come_in() -> None:
    context = Context(ContextLimits(items=100, tokens=4_000))
    for number in range(7):
        context.note(later(number))
    context.tell_result("A call has ended:", "é" * LONG)
    # The turn of a message that is answered again stays.
    first = later(0)
    assert context.before(first).items == []
    context.end(first, [llm.ChatMessage(role="assistant", content=["Well."])])
    assert context.said_about(first.key)
    items = context.before(later(7)).items
    assert sum(map(tokens_of, items)) <= 4_000
    told = [each.text_content or "" for each in items if isinstance(each, llm.ChatMessage)]
    assert any(text.startswith("[A call has ended:\né") for text in told)


def test_notes_leave_less_room_for_results() -> None:
    context = Context(ContextLimits(items=100, tokens=4_000))
    assert context.result_bytes == 4 * 4_000
    context.tell_result("A call has ended:", "é" * LONG)
    assert 4 * 2_900 < context.result_bytes < 4 * 3_000
    for number in range(MAX_NOTES):
        context.tell_result(f"Call {number} has ended:", "é" * LONG)
    assert context.result_bytes > 4 * 1_500


def test_a_result_is_cut_between_characters_and_only_where_it_is_too_long() -> None:
    budget = ResultBudget(5)
    assert budget.fit("ab") == "ab"
    assert budget.fit("éé") == f"é\n{LEFT_OUT}"
    assert budget.fit("") == ""
    assert budget.fit("c") == LEFT_OUT
