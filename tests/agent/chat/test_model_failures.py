"""The model failing: a short honest sentence, `finish_reason=error`, and a working agent."""

from __future__ import annotations

import pytest

from devserver.model import DemoModel, Fault, Reply
from tests.agent.conftest import Enter, StartWorker


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "credentials"),
        (404, "not found"),
        (429, "over its limit"),
        (500, "has a problem"),
    ],
)
async def test_an_error_of_the_model_service(
    enter: Enter, model: DemoModel, status: int, says: str
) -> None:
    failing = Reply(status=status, message="internal detail 4711")
    model.script(failing, failing)
    alice = await enter("alice")
    failed = await alice.ask("hello")
    assert failed.finish_reason == "error"
    assert says in failed.text
    assert "4711" not in failed.text
    model.clear()
    assert (await alice.ask("hello again")).finish_reason == "stop"


@pytest.mark.parametrize("fault", [Fault.DROPPED, Fault.ENDED_EARLY, Fault.MALFORMED])
async def test_no_answer_comes_through(enter: Enter, model: DemoModel, fault: Fault) -> None:
    model.script(Reply(fault=fault), Reply(fault=fault))
    alice = await enter("alice")
    failed = await alice.ask("hello")
    assert failed.finish_reason == "error"
    assert failed.text
    model.clear()
    assert (await alice.ask("hello again")).finish_reason == "stop"


async def test_a_passing_failure_is_retried(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(status=500), Reply(text="Here I am."))
    alice = await enter("alice")
    assert (await alice.ask("hello")).text == "Here I am."


async def test_a_stream_cut_in_the_middle(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(tokens=["The answer ", "is ", "42"], after=2, fault=Fault.CUT))
    alice = await enter("alice")
    failed = await alice.ask("hello")
    assert failed.finish_reason == "error"
    assert failed.text.startswith("The answer is \n\n(")
    assert (await alice.ask("hello again")).finish_reason == "stop"


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.NO_RESPONSE])
async def test_a_silent_model_is_given_up(
    start_worker: StartWorker, enter: Enter, model: DemoModel, fault: Fault
) -> None:
    worker = await start_worker(LLM_TIMEOUT="3")
    model.script(Reply(fault=fault))
    alice = await enter("alice", worker=worker)
    failed = await alice.ask("hello")
    assert failed.finish_reason == "error"
    assert "in time" in failed.text
    assert len(model.requests) == 1, "a silent model is not asked twice"
    assert (await alice.ask("hello again")).finish_reason == "stop"


async def test_nothing_listens_where_the_model_should_be(
    start_worker: StartWorker, enter: Enter
) -> None:
    worker = await start_worker(OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    alice = await enter("alice", worker=worker)
    failed = await alice.ask("hello")
    assert failed.finish_reason == "error"
    assert "cannot be reached" in failed.text


async def test_the_agent_works_after_ten_failures_in_a_row(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    """The SDK's own session gives up at the fourth."""
    worker = await start_worker(LLM_RETRIES="0")
    model.script(*[Reply(status=500)] * 10)
    alice = await enter("alice", worker=worker)
    for number in range(10):
        assert (await alice.ask(f"try {number}")).finish_reason == "error"
    assert (await alice.ask("and now?")).finish_reason == "stop"


async def test_an_answer_that_is_too_long_for_the_model(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(text="and so on and", finish_reason="length"))
    alice = await enter("alice")
    answer = await alice.ask("everything, please")
    assert (answer.text, answer.finish_reason) == ("and so on and", "length")


async def test_an_empty_answer(enter: Enter, model: DemoModel) -> None:
    model.script(Reply(tokens=[]))
    alice = await enter("alice")
    answer = await alice.ask("hello")
    assert answer.finish_reason == "error"
    assert "no answer" in answer.text
