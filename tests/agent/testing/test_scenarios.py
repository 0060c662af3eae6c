"""Conversations in files, and `python -m agent eval`, which runs them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from livekit.agents import llm

from agent import App
from agent.testing import evaluation
from agent.testing.app_test import AppTest
from agent.testing.exchange import Exchange
from agent.testing.person import Person
from agent.testing.scenario import Expected, Scenario, ScenarioError
from devserver.model import DemoModel

EXAMPLE = Path(__file__).parents[3] / "examples" / "handoff"

GOOD = """
model:
  - {call: askBilling, arguments: {reason: She asks for 18.}}
  - {call: findInvoice, arguments: {number: "18"}}
  - {say: It is open.}
turns:
  - user: Is invoice 18 paid?
    expect:
      calls: [{name: findInvoice, arguments: {number: "18"}}]
      handoff: billing
      says: [open]
      says_not: [sorry]
      within: 20
"""

BAD = """
name: another answer is expected
model: [{say: I do not know.}]
turns:
  - user: Is invoice 18 paid?
    expect: {says: [open]}
"""


def exchange(text: str = "Yes.", *calls: tuple[str, str], finish: str = "stop") -> Exchange:
    items = tuple(
        llm.FunctionCall(call_id=str(n), name=name, arguments=arguments)
        for n, (name, arguments) in enumerate(calls)
    )
    return Exchange(text, finish, (), items, 2.0)


WRONG = {
    "finish": (Expected(), exchange(finish="error"), "it ended with error, expected stop"),
    "says": (Expected(says=("no",)), exchange(), "it does not say 'no': 'Yes.'"),
    "says_not": (Expected(says_not=("YES",)), exchange(), "it says 'YES': 'Yes.'"),
    "handoff": (Expected(handoff="billing"), exchange(), "it was not handed to billing"),
    "within": (Expected(within=1), exchange(), "it took 2.0 s, expected 1 s at most"),
    "none": (
        Expected(calls=()),
        exchange("Yes.", ("find", "{}")),
        "it made calls, expected none: find({})",
    ),
    "arguments": (
        Expected.model_validate({"calls": [{"name": "find", "arguments": {"number": 2}}]}),
        exchange("Yes.", ("find", '{"number": 1}')),
        'it did not call find({"number": 2}); its calls: find({"number": 1})',
    ),
    "order": (
        Expected.model_validate({"calls": [{"name": "b"}, {"name": "a"}]}),
        exchange("Yes.", ("a", "{}"), ("b", "{}")),
        "it did not call a({}); its calls: a({}), b({})",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_fault_of_an_answer_is_one_sentence(name: str) -> None:
    expected, answer, problem = WRONG[name]
    assert list(expected.problems(answer)) == [problem]


def test_an_answer_that_fits_has_no_problems() -> None:
    calls = ({"name": "find", "arguments": {"number": 1}},)
    expected = Expected.model_validate({"says": ["yes"], "calls": calls, "within": 3})
    found = exchange("Yes.", ("other", "{}"), ("find", '{"number": 1, "more": 2}'))
    assert not list(expected.problems(found))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("turns: []", "turns of a scripted user, or a user whom a model plays"),
        ("turns: [{user: Hi, expects: {}}]", "turns.0.expects: Extra inputs are not permitted"),
        ("turns: 3", "turns: Input should be a valid list"),
        ("turns: [", "it is not YAML"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        Scenario.read(path)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="it is not UTF-8 text"):
        Scenario.read(path)


@pytest.mark.parametrize("arguments", ["{number: 1", "[1]", '"x"'])
def test_arguments_that_are_not_an_object_count_as_missing(arguments: str) -> None:
    assert exchange("Yes.", ("find", arguments)).calls[0].arguments == {}


def evaluated(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    app = str(EXAMPLE / "handoff.py")
    command = [sys.executable, "-m", "agent", "eval", "--app", app, *options]
    return subprocess.run(  # noqa: S603 - of the test's own
        command, check=False, capture_output=True, text=True, cwd=EXAMPLE.parents[1], timeout=120
    )


def test_eval_runs_conversations_and_says_how_many_passed(tmp_path: Path) -> None:
    good, bad = tmp_path / "invoice is found.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_text(BAD)
    passed = evaluated(tmp_path, str(good), "-n", "2")
    assert (passed.returncode, passed.stderr) == (0, "")
    assert passed.stdout.splitlines()[1].split()[:4] == ["invoice", "is", "found", "2/2"]
    results, junit = tmp_path / "results.json", tmp_path / "junit.xml"
    failed = evaluated(tmp_path, str(good), str(bad), "--json", str(results), "--junit", str(junit))
    assert failed.returncode == 1
    assert failed.stderr == "below 100%: another answer is expected\n"
    problem = "turn 1: it does not say 'open': 'I do not know.'"
    assert failed.stdout.splitlines()[0] == f"another answer is expected: {problem}"
    summaries = json.loads(results.read_text())["scenarios"]
    assert [(each["passed"], each["rate"]) for each in summaries] == [(1, 1.0), (0, 0.0)]
    assert summaries[0]["tokens_in"] > summaries[0]["tokens_out"] > 0
    suite = ET.fromstring(junit.read_text())  # noqa: S314 - the test's own
    assert suite.attrib["failures"] == "1"
    assert [each.attrib["message"] for each in suite.iter("failure")] == [problem]


@pytest.mark.lengthy
def test_two_conversations_of_one_name_are_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "same.yaml", tmp_path / "b" / "same.yaml"
    for path, text in ((first, GOOD), (second, GOOD)):
        path.parent.mkdir()
        path.write_text(text)
    refused = evaluated(tmp_path, str(first), str(second))
    assert refused.returncode == 2
    assert refused.stderr == (f"{first} and {second} are both called same: give one another name\n")


def test_a_wrong_setting_is_one_sentence_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(GOOD)
    monkeypatch.setenv("LLM_RETRIES", "many")
    refused = evaluated(tmp_path, str(good))
    assert refused.returncode == 2
    assert refused.stderr == "LLM_RETRIES: expected a whole number, got 'many'\n"


@pytest.mark.lengthy
def test_without_the_room_server_it_says_so(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(GOOD)
    program = "import sys; sys.modules['devserver'] = None; from agent.cli import app; app()"
    command = [sys.executable, "-c", program, "eval", str(good)]
    refused = subprocess.run(  # noqa: S603 - of the test's own
        command, check=False, capture_output=True, text=True, cwd=EXAMPLE.parents[1], timeout=120
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("agent.testing needs the embedded room server")


@pytest.mark.lengthy
def test_the_table_is_there_although_a_file_cannot_be_written(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(GOOD)
    failed = evaluated(tmp_path, str(good), "--json", str(tmp_path / "none" / "results.json"))
    assert failed.returncode == 1
    assert "1/1" in failed.stdout
    assert failed.stderr.endswith("No such file or directory\n")


async def test_a_run_that_breaks_off_has_failed_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "good.yaml"
    path.write_text("model: [{say: Yes.}]\nturns: [{user: Hi}]")
    enter, entered = AppTest.enter, list[str]()

    async def first_too_late(self: AppTest, identity: str, *, attributes: dict[str, str]) -> Person:
        entered.append(identity)
        if len(entered) == 1:
            raise TimeoutError
        return await enter(self, identity, attributes=attributes)

    monkeypatch.setattr(AppTest, "enter", first_too_late)
    app = App(instructions="Be.")
    first, second = await evaluation.evaluate(app, [Scenario.read(path)], 2, {})
    assert first.problems == ("it broke off: TimeoutError()",)
    assert second.problems == ()


@pytest.mark.lengthy
async def test_settings_come_from_dotenv_except_those_of_a_test(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from agent import App\napp = App(instructions='Be.')\n")
    (tmp_path / "hello.yaml").write_text("turns: [{user: Hello}]")
    ours = {"PYTHONPATH": str(EXAMPLE.parents[1]), "PATH": os.environ["PATH"]}
    async with DemoModel() as model:
        (tmp_path / ".env").write_text(
            f"OPENAI_BASE_URL={model.base_url}\nOPENAI_API_KEY=of-dotenv\nAPP=app.py\n"
            "REPLY_TOPICS=elsewhere\nWEBHOOK_EVENTS=wrong\n"
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agent", "eval", "hello.yaml"),
            cwd=tmp_path,
            env=ours,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        shown, complaints = await process.communicate()
        assert (process.returncode, complaints) == (0, b"")
        assert b"1/1" in shown
        assert model.requests
