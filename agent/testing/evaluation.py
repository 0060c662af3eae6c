"""Evaluation: runs scenarios repeatedly, and collects the results."""

from __future__ import annotations

import json
import logging
import statistics
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from livekit.agents import llm

from agent.app.app import App
from agent.app.app_error import AppError
from agent.client import AgentError
from agent.config.settings_error import SettingsError
from agent.testing.app_test import AppTest, NoRoomServerError
from agent.testing.evaluator import Ended, Evaluator, Judgment
from agent.testing.exchange import Exchange, joined
from agent.testing.scenario import ANYTHING, ModelStep, Scenario, Turn

if TYPE_CHECKING:
    from agent.testing.person import Person
    from devserver.model import Reply

logger = logging.getLogger(__name__)

USER = "user"
OF_MODEL = frozenset({"OPENAI_BASE_URL", "OPENAI_API_KEY", "LLM_MODEL"})
"""The settings that choose the model, unless a scenario scripts it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One conversation.

    Attributes:
        problems: the failed expectations, in order; empty: it passed.
        seconds: of each answer.
        tokens_in, tokens_out: of all requests to the model, as its service counts them; without
            those of simulated users and judges.
        judgments: the verdicts of the judges.
        conversation: pairs of `user` or `assistant`, and the text.
    """

    scenario: str
    problems: tuple[str, ...]
    seconds: tuple[float, ...]
    tokens_in: int
    tokens_out: int
    judgments: tuple[Judgment, ...] = ()
    conversation: tuple[tuple[str, str], ...] = ()


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
        ScenarioError: a model has to play or judge, and none is configured.
    """
    async with AsyncExitStack() as stack:
        evaluator = None
        if any(each.needs_evaluator for each in scenarios):
            evaluator = await stack.enter_async_context(Evaluator(environ))
        return [
            await _run(app, each, environ, evaluator) for each in scenarios for _ in range(times)
        ]


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
    """Summaries and runs as JSON, for other programs."""
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


async def _run(
    app: App, scenario: Scenario, environ: Mapping[str, str], evaluator: Evaluator | None
) -> Run:
    metadata = json.dumps(scenario.metadata) if scenario.metadata else ""
    if scenario.model is not None:
        environ = {name: value for name, value in environ.items() if name not in OF_MODEL}
    environ = {k: v for k, v in environ.items() if not k.startswith("EVAL_")}
    talk = _Talk(scenario, evaluator)
    tokens_in = tokens_out = 0
    try:
        async with AppTest(app, metadata=metadata, **environ) as test:
            if scenario.model is not None:
                test.model.script(*_replies(scenario.model))
            user = await test.enter(USER, attributes=scenario.attributes)
            await talk.hold(user)
            tokens_in, tokens_out = test.tokens()
        if evaluator is not None and scenario.judges:
            await talk.judge(evaluator, _instructions(app, scenario))
    except (AppError, SettingsError, NoRoomServerError):
        raise
    except Exception as error:
        # The other runs go on, and their results count.
        logger.exception("run of scenario %s failed", scenario.name)
        talk.problems.append(f"it broke off: {error!r}")
    return Run(
        scenario.name,
        tuple(talk.problems),
        tuple(each.seconds for _, each in talk.said),
        tokens_in,
        tokens_out,
        tuple(talk.judgments),
        tuple(
            line
            for message, answer in talk.said
            for line in ((USER, message), ("assistant", answer.text))
        ),
    )


@dataclass
class _Talk:
    """A conversation of a user with the app.

    Attributes:
        problems: the failed expectations.
        said: messages, and their outcomes.
    """

    scenario: Scenario
    evaluator: Evaluator | None
    problems: list[str] = field(default_factory=list[str])
    said: list[tuple[str, Exchange]] = field(default_factory=list[tuple[str, Exchange]])
    judgments: list[Judgment] = field(default_factory=list[Judgment])

    async def hold(self, user: Person) -> None:
        """Writes the messages, until one has no answer."""
        async for turn in self._turns():
            number = len(self.said) + 1
            try:
                answer = await user.ask(turn.user, private=turn.private)
            except AgentError as error:
                self.problems.append(f"turn {number}: {error}")
                return
            self.said.append((turn.user, answer))
            self.problems += [f"turn {number}: {each}" for each in turn.expect.problems(answer)]
        if self.scenario.user is not None and self.said:
            whole = joined([answer for _, answer in self.said])
            self.problems += self.scenario.user.expect.problems(whole)

    async def judge(self, evaluator: Evaluator, instructions: str) -> None:
        """Runs the judges on the conversation."""
        items: list[llm.ChatItem] = [llm.AgentConfigUpdate(instructions=instructions)]
        for message, answer in self.said:
            items += [llm.ChatMessage(role="user", content=[message]), *answer.items]
            items += [
                llm.AgentHandoff(old_agent_id=former, new_agent_id=agent)
                for former, agent in answer.handoffs
            ]
        self.judgments = await evaluator.judge(self.scenario.judges, items)
        self.problems += [
            f"{each.judge}: {each.verdict}: {each.reasoning}"
            for each in self.judgments
            if each.verdict != "pass"
        ]

    async def _turns(self) -> AsyncIterator[Turn]:
        for turn in self.scenario.turns:
            yield turn
        user, evaluator = self.scenario.user, self.evaluator
        if user is None or evaluator is None:
            return
        while True:
            said = [(message, answer.text) for message, answer in self.said]
            following = await evaluator.next_message(user, said)
            if isinstance(following, Ended):
                if not following.reached:
                    self.problems.append(f"the user did not get it: {following.why}")
                return
            if len(self.said) >= user.max_turns:
                self.problems.append(f"the user did not get it in {user.max_turns} messages")
                return
            yield Turn(user=following, private=user.private, expect=ANYTHING)


def _instructions(app: App, scenario: Scenario) -> str:
    """The instructions of the first agent, for the judges; livekit Agents have theirs elsewhere."""
    name = scenario.metadata.get("agent")
    persona = app.personas.get(name if isinstance(name, str) else app.default)
    return "" if persona is None else persona.instructions


def _replies(steps: Sequence[ModelStep]) -> list[Reply]:
    # Imported with AppTest, which reports it if it is missing.
    from devserver.model import Reply, tool_call  # noqa: PLC0415 - see above

    return [
        Reply(step.say)
        if step.call is None
        else Reply(step.say, tool_calls=[tool_call(step.call, json.dumps(step.arguments))])
        for step in steps
    ]
