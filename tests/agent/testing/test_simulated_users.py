"""`eval` with users whom a model plays, and judges."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import cast

import pytest

from agent import App
from agent.testing.evaluation import Run, as_json, evaluate
from agent.testing.scenario import Scenario, ScenarioError
from devserver.model import DemoModel, Reply, tool_call
from toolkit import tool


@tool
async def find_invoice(number: str) -> str:
    """Find an invoice."""
    return f"invoice {number} is open"


APP = App(instructions="You find invoices.", tools=[find_invoice])
MODEL = """
model:
  - {say: "Which one?"}
  - {call: findInvoice, arguments: {number: "18"}}
  - {say: It is open.}
"""
USER = """
user:
  who: A hurried customer.
  goal: Find out whether invoice 18 is paid.
  expect: {calls: [{name: findInvoice}], says: [open]}
"""


def ends(*, reached: bool, why: str = "told") -> Reply:
    arguments = json.dumps({"reached": reached, "why": why})
    return Reply(tool_calls=[tool_call("end_conversation", arguments)])


def verdict(verdict: str, reasoning: str = "so it is") -> Reply:
    arguments = json.dumps({"verdict": verdict, "reasoning": reasoning})
    return Reply(tool_calls=[tool_call("submit_verdict", arguments)])


@pytest.fixture
async def evaluator() -> AsyncGenerator[DemoModel]:
    async with DemoModel() as model:
        yield model


async def run(tmp_path: Path, text: str, evaluator: DemoModel, **environ: str) -> Run:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    given: Mapping[str, str] = {"EVAL_BASE_URL": evaluator.base_url, **environ}
    (found,) = await evaluate(APP, [Scenario.read(path)], 1, given)
    return found


async def test_a_user_who_reaches_their_goal(tmp_path: Path, evaluator: DemoModel) -> None:
    evaluator.script(Reply("is it paid?"), Reply("18"), ends(reached=True))
    found = await run(tmp_path, MODEL + USER, evaluator)
    assert found.problems == ()
    assert found.conversation == (
        ("user", "is it paid?"),
        ("assistant", "Which one?"),
        ("user", "18"),
        ("assistant", "It is open."),
    )
    first, _, last = (request.body["messages"] for request in evaluator.requests)
    assert "A hurried customer." in str(first)
    assert "invoice 18 is paid" in str(first)
    # The simulated user answers the assistant's messages.
    roles = [each["role"] for each in cast("list[dict[str, str]]", last)]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    (told,) = json.loads(as_json([found]))["runs"]
    assert told["conversation"][1] == ["assistant", "Which one?"]


@pytest.mark.parametrize(
    ("replies", "problem"),
    [
        ([Reply("Hi"), ends(reached=False, why="no help")], "the user did not get it: no help"),
        ([Reply("Hi"), Reply("18"), Reply("And 19?")], "the user did not get it in 2 messages"),
        ([Reply("Hi"), Reply(status=400)], "it broke off: APIStatusError"),
    ],
    ids=["gives up", "too long", "a model that fails"],
)
async def test_a_user_who_does_not(
    tmp_path: Path, evaluator: DemoModel, replies: list[Reply], problem: str
) -> None:
    evaluator.script(*replies)
    user = USER.replace("  expect", "  max_turns: 2\n  expect")
    found = await run(tmp_path, MODEL + user, evaluator)
    assert [each for each in found.problems if problem in each]


async def test_expectations_are_for_the_whole_conversation(
    tmp_path: Path, evaluator: DemoModel
) -> None:
    evaluator.script(Reply("Hi"), ends(reached=True))
    found = await run(tmp_path, MODEL + USER, evaluator)
    assert found.problems == (
        "it does not say 'open': 'Which one?'",
        "it did not call findInvoice({}); its calls: none",
    )


async def test_judges_see_the_conversation_and_have_to_pass_it(
    tmp_path: Path, evaluator: DemoModel
) -> None:
    own = "{name: polite, criterion: It is polite.}, {name: brief, criterion: It is brief.}"
    judges = f"judges: [accuracy, {own}]"
    turns = "turns: [{user: Hello}, {user: 'Is 18 paid?'}]\n"
    evaluator.when("It is polite.", verdict("maybe", "hard to say"))
    evaluator.when("It is brief.", Reply("Well."))
    evaluator.when("grounded", verdict("pass"))
    found = await run(tmp_path, MODEL + turns + judges, evaluator)
    assert [(each.judge, each.verdict) for each in found.judgments] == [
        ("accuracy", "pass"),
        ("polite", "maybe"),
        ("brief", "error"),
    ]
    assert found.problems == ("polite: maybe: hard to say", "brief: error: it gave no verdict")
    for request in evaluator.requests:
        said = str(request.body["messages"])
        assert "findInvoice" in said
        assert "invoice 18 is open" in said
        assert "Is 18 paid?" in said


async def test_a_key_goes_to_its_own_service(tmp_path: Path, evaluator: DemoModel) -> None:
    url = evaluator.base_url
    for environ, key in (
        ({}, ""),
        ({"OPENAI_BASE_URL": url}, "Bearer agents"),
        ({"EVAL_API_KEY": "own"}, "Bearer own"),
    ):
        evaluator.script(Reply("Hi"), ends(reached=True))
        await run(tmp_path, MODEL + USER, evaluator, OPENAI_API_KEY="agents", **environ)
        assert evaluator.requests[-1].headers.get("authorization", "") == key


async def test_without_a_model_to_play_it_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(MODEL + USER)
    with pytest.raises(ScenarioError, match="a simulated user and judges need a model"):
        await evaluate(APP, [Scenario.read(path)], 1, {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("user: {goal: x}\nturns: [{user: Hi}]", "turns of a scripted user, or a user whom"),
        ("judges: [accuracy]", "turns of a scripted user, or a user whom"),
        ("user: {goal: x, max_turns: 0}", "user.max_turns: Input should be greater"),
        (
            "turns: [{user: Hi}]\njudges: [kindness]",
            "judges.0: Value error, a criterion, or",
        ),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        Scenario.read(path)
    assert problem in str(caught.value)
