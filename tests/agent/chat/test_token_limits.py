"""Limits of one answer: the tokens that the model writes, and the results of its tools."""

from __future__ import annotations

from agent.tool_calls.result_budget import LEFT_OUT, ResultBudget
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.conftest import Enter, StartWorker
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


def test_a_result_is_cut_between_characters_and_only_where_it_is_too_long() -> None:
    budget = ResultBudget(5)
    assert budget.fit("ab") == "ab"
    assert budget.fit("éé") == f"é\n{LEFT_OUT}"
    assert budget.fit("") == ""
    assert budget.fit("c") == LEFT_OUT
