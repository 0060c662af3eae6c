"""Evaluation: scenarios, run so many times, and what came of it."""

from __future__ import annotations

import json
import logging
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from agent.app.app import App
from agent.app.app_error import AppError
from agent.client import AgentError
from agent.config.settings_error import SettingsError
from agent.testing.app_test import AppTest, NoRoomServerError
from agent.testing.scenario import ModelStep, Scenario

if TYPE_CHECKING:
    from agent.testing.person import Person
    from devserver.model import Reply

logger = logging.getLogger(__name__)

USER = "user"
OF_MODEL = frozenset({"OPENAI_BASE_URL", "OPENAI_API_KEY", "LLM_MODEL"})
"""The settings that choose the model, where no scenario scripts it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One conversation.

    Attributes:
        problems: what was wrong, in order; none: it passed.
        seconds: of each answer.
        tokens_in, tokens_out: of all requests to the model, as its service counts them.
    """

    scenario: str
    problems: tuple[str, ...]
    seconds: tuple[float, ...]
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Summary:
    """All runs of a scenario. `p50` and `longest` are seconds of an answer."""

    scenario: str
    runs: int
    passed: int
    p50: float
    longest: float
    tokens_in: int
    tokens_out: int

    @property
    def rate(self) -> float:
        return self.passed / self.runs


async def evaluate(
    app: App, scenarios: Sequence[Scenario], times: int, environ: Mapping[str, str]
) -> list[Run]:
    """Runs each scenario so many times, each in a room and with a history of its own.

    Raises:
        AppError, SettingsError: the app or its settings are wrong.
        NoRoomServerError: the embedded room server is not installed.
    """
    return [await _run(app, each, environ) for each in scenarios for _ in range(times)]


def summarise(runs: Sequence[Run]) -> list[Summary]:
    """By scenario, in their order."""
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.scenario, []).append(run)
    summaries: list[Summary] = []
    for name, each in by_name.items():
        seconds = [second for run in each for second in run.seconds] or [0.0]
        summaries.append(
            Summary(
                name,
                len(each),
                sum(not run.problems for run in each),
                statistics.median(seconds),
                max(seconds),
                sum(run.tokens_in for run in each),
                sum(run.tokens_out for run in each),
            )
        )
    return summaries


def as_json(runs: Sequence[Run]) -> str:
    """Summaries and runs, for other programs."""
    summaries = [{**asdict(each), "rate": each.rate} for each in summarise(runs)]
    found: dict[str, Any] = {"scenarios": summaries, "runs": [asdict(run) for run in runs]}
    return json.dumps(found, indent=2)


def as_junit(runs: Sequence[Run]) -> str:
    """A test case for each run."""
    failures = sum(bool(run.problems) for run in runs)
    suite = ET.Element("testsuite", name="eval", tests=str(len(runs)), failures=str(failures))
    for number, run in enumerate(runs, 1):
        took = f"{sum(run.seconds):.3f}"
        name = f"{run.scenario} ({number})"
        case = ET.SubElement(suite, "testcase", classname=run.scenario, name=name, time=took)
        if run.problems:
            failure = ET.SubElement(case, "failure", message=run.problems[0])
            failure.text = "\n".join(run.problems)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


async def _run(app: App, scenario: Scenario, environ: Mapping[str, str]) -> Run:
    metadata = json.dumps(scenario.metadata) if scenario.metadata else ""
    if scenario.model is not None:
        environ = {name: value for name, value in environ.items() if name not in OF_MODEL}
    problems: list[str] = []
    seconds: list[float] = []
    tokens_in = tokens_out = 0
    try:
        async with AppTest(app, metadata=metadata, **environ) as test:
            if scenario.model is not None:
                test.model.script(*_replies(scenario.model))
            user = await test.enter(USER, attributes=scenario.attributes)
            await _talk(user, scenario, problems, seconds)
            tokens_in, tokens_out = test.tokens()
    except (AppError, SettingsError, NoRoomServerError):
        raise
    except Exception as error:
        # The other runs go on, and their results count.
        logger.exception("a run of %s broke off", scenario.name)
        problems.append(f"it broke off: {error!r}")
    return Run(scenario.name, tuple(problems), tuple(seconds), tokens_in, tokens_out)


async def _talk(
    user: Person, scenario: Scenario, problems: list[str], seconds: list[float]
) -> None:
    """Writes the messages, until one has no answer; adds what is wrong, and how long it took."""
    for number, turn in enumerate(scenario.turns, 1):
        try:
            answer = await user.ask(turn.user, private=turn.private)
        except AgentError as error:
            problems.append(f"turn {number}: {error}")
            return
        seconds.append(answer.seconds)
        problems += [f"turn {number}: {each}" for each in turn.expect.problems(answer)]


def _replies(steps: Sequence[ModelStep]) -> list[Reply]:
    # With AppTest, which says so where it is missing.
    from devserver.model import Reply, tool_call  # noqa: PLC0415 - see above

    return [
        Reply(step.say)
        if step.call is None
        else Reply(step.say, tool_calls=[tool_call(step.call, json.dumps(step.arguments))])
        for step in steps
    ]
