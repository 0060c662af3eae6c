"""Conversations in files, and `python -m agent eval`, which runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from livekit.agents import llm

from agent.testing.exchange import Exchange
from agent.testing.scenario import Expected, Scenario, ScenarioError

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
def test_what_is_wrong_with_an_answer_is_one_sentence(name: str) -> None:
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
        ("turns: []", "turns: Tuple should have at least 1 item"),
        ("turns: [{user: Hi, expects: {}}]", "turns.0.expects: Extra inputs are not permitted"),
        ("turns: [", "it is no YAML"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        Scenario.read(path)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


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
