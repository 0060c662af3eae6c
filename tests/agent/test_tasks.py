"""Tasks: nothing fails without a log line, and what is kept lives on."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

import agent
from agent.tasks import Tasks

WITHIN = 20.0

NOTICED = {
    "MCP session": "the connection waits for it",
    "a call": "the command waits for it",
    "a place for a job": "logged by livekit-agents",
    "a typed line": "the command waits for it",
    "an interruption": "the command waits for it",
    "answer a question": "the agent's call waits for it",
    "ask the app": "its caller waits for it, and withdraws it",
    "close MCP session": "its call waits for it",
    "close MCP server": "the connection waits for it",
    "connections of plugins": "who opens or closes them waits for it",
    "decide on a call": "the agent's call waits for it",
    "dispatch": "the command waits for it",
    "files of the app": "awaited when it is closed",
    "incoming file": "logged when it is done",
    "incoming message": "logged when it is done",
    "look up a participant": "its caller waits for it",
    "parts of an answer": "a boundary of its own",
    "process": "the command waits for it",
    "recognition": "its caller waits for it",
    "reply to": "a boundary of its own",
    "report of the load": "logged by livekit-agents",
    "request to MCP server": "its caller waits for it",
    "response": "the conversation waits for it",
    "send a file": "logged when it is done",
    "show an answer": "the command waits for it",
    "sound for recognition": "ended with its stream, whose reader learns what fails",
    "send by the SDK": "its sender waits for it, as for a request of its own",
    "stop": "tells the terminal what fails",
    "stop of an answer": "the answer waits for it",
    "summary": "its caller waits for it",
    "the app changed": "the command waits for it",
    "to the end": "the conversation waits for it",
    "tool": "the turn waits for it",
    "tool call": "the answer waits for it",
    "typed lines": "the command ends with it",
    "work while typing": "the command waits for it",
    "worker under test": "awaited when the test ends",
    "write a file": "its reader waits for it",
}
"""Names of the tasks that are not started by Tasks, and who notices how they end."""


class FailsAtFirst:
    """Work that fails so many times, then goes on until it is cancelled."""

    def __init__(self, times: int, fail: Callable[[], BaseException]) -> None:
        self.runs = 0
        self.lives = asyncio.Event()
        self._times = times
        self._fail = fail

    async def __call__(self) -> None:
        self.runs += 1
        if self.runs <= self._times:
            raise self._fail()
        self.lives.set()
        await asyncio.Event().wait()


async def returned(value: int) -> int:
    return value


async def failed() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("fail", [ZeroDivisionError, asyncio.CancelledError])
async def test_a_kept_task_is_restarted_whatever_ends_it(
    fail: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    tasks, work = Tasks(), FailsAtFirst(2, fail)
    task = tasks.keep(work, name="notices")
    async with asyncio.timeout(WITHIN):
        await work.lives.wait()
    assert work.runs == 3
    restarts = [each for each in caplog.messages if "restarting" in each]
    assert len(restarts) == 2
    assert all("'notices'" in each for each in restarts)
    await tasks.aclose()
    assert task.cancelled()


async def test_a_kept_task_that_keeps_failing_is_given_up_and_its_owner_notified(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks, work = Tasks(), FailsAtFirst(10, ZeroDivisionError)
    lost = asyncio.Event()
    task = tasks.keep(work, name="conversation", restarts=1, on_lost=lost.set)
    async with asyncio.timeout(WITHIN):
        await lost.wait()
        await task
    assert work.runs == 2
    assert "the task 'conversation' failed 2 times, giving up" in caplog.text


async def test_a_kept_task_may_be_done() -> None:
    tasks = Tasks()

    async def work() -> None:
        return

    async with asyncio.timeout(WITHIN):
        await tasks.keep(work, name="history writes")


async def test_the_failure_of_a_task_is_logged_once_unless_somebody_waits_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = Tasks()
    tasks.start(failed(), name="transcript")
    with pytest.raises(ZeroDivisionError):
        await tasks.start(failed(), name="change", is_awaited=True)
    assert await tasks.start(returned(1), name="summary") == 1
    await tasks.ended()
    assert [each.split(" failed")[0] for each in caplog.messages] == ["the task 'transcript'"]


async def test_tasks_end_with_their_owner() -> None:
    tasks = Tasks()
    waiting: Coroutine[None, None, bool] = asyncio.Event().wait()
    task = tasks.start(waiting, name="waits")
    await tasks.aclose()
    assert task.cancelled()


async def test_a_kept_task_whose_end_fails_is_not_restarted_by_its_owners_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = 0
    begun = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("the model's connection")

    tasks = Tasks()
    tasks.keep(work, name="conversation")
    await begun.wait()
    async with asyncio.timeout(WITHIN):
        await tasks.aclose()
    assert runs == 1
    assert [each.getMessage() for each in caplog.records] == [
        "the task 'conversation' failed while it was ended"
    ]


def name_of(call: ast.Call) -> str:
    """The name of a task, up to its first variable part."""
    for keyword in call.keywords:
        if keyword.arg == "name":
            value = keyword.value
            first = value.values[0] if isinstance(value, ast.JoinedStr) else value
            if isinstance(first, ast.Constant):
                return str(first.value).strip()
    return ast.unparse(call)


def test_every_task_of_the_agent_has_an_owner_that_notices_its_end() -> None:
    sources = Path(agent.__file__).parent.rglob("*.py")
    calls = [
        name_of(node)
        for path in sources
        if path.name != "tasks.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("create_task")
    ]
    assert set(calls) <= set(NOTICED)
