"""Scenario: a conversation of a scripted or simulated user, and what is expected of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from agent.testing.exchange import Call, Exchange


class ScenarioError(Exception):
    """A fault of a scenario file, in one sentence."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedCall(_Strict):
    """A tool call: by its name, and those of its arguments that matter."""

    name: str
    arguments: dict[str, Any] = {}

    def fits(self, call: Call) -> bool:
        missing = object()
        given = self.arguments.items()
        return call.name == self.name and all(
            call.arguments.get(name, missing) == value for name, value in given
        )


class Expected(_Strict):
    """The requirements for an answer.

    Attributes:
        says, says_not: words of the text, in whatever case.
        calls: tool calls among those that were made, in this order; [] is none at all.
        handoff: name of the agent that takes over.
        finish: the finish reason; None: any.
        within: seconds from the question to the end of the answer.
    """

    says: tuple[str, ...] = ()
    says_not: tuple[str, ...] = ()
    calls: tuple[ExpectedCall, ...] | None = None
    handoff: str | None = None
    finish: Literal["stop", "length", "error", "interrupted", "cancelled"] | None = "stop"
    within: float | None = None

    def problems(self, answer: Exchange) -> Iterator[str]:
        """Returns the faults of an answer."""
        if self.finish is not None and answer.finish_reason != self.finish:
            yield f"it ended with {answer.finish_reason}, expected {self.finish}"
        text = answer.text.lower()
        for words in self.says:
            if words.lower() not in text:
                yield f"it does not say {words!r}: {answer.text!r}"
        for words in self.says_not:
            if words.lower() in text:
                yield f"it says {words!r}: {answer.text!r}"
        if self.handoff is not None and self.handoff not in {to for _, to in answer.handoffs}:
            yield f"it was not handed to {self.handoff}"
        if self.within is not None and answer.seconds > self.within:
            yield f"it took {answer.seconds:.1f} s, expected {self.within:g} s at most"
        yield from self._wrong_calls(answer.calls)

    def _wrong_calls(self, made: tuple[Call, ...]) -> Iterator[str]:
        if self.calls is None:
            return
        done = ", ".join(f"{call.name}({json.dumps(call.arguments)})" for call in made) or "none"
        if not self.calls and made:
            yield f"it made calls, expected none: {done}"
        rest = iter(made)
        for expected in self.calls:
            if not any(expected.fits(call) for call in rest):
                wanted = f"{expected.name}({json.dumps(expected.arguments)})"
                yield f"it did not call {wanted}; its calls: {done}"


ANYTHING = Expected(finish=None)


class Turn(_Strict):
    """A message and what is expected of its answer."""

    user: Annotated[str, Field(min_length=1)]
    private: bool = False
    expect: Expected = Expected()


class ModelStep(_Strict):
    """One step of the demo model: it says something, or calls a tool."""

    say: str | None = None
    call: str | None = None
    arguments: dict[str, Any] = {}


Judge = Literal[
    "task_completion",
    "handoff",
    "accuracy",
    "tool_use",
    "safety",
    "relevancy",
    "coherence",
    "conciseness",
]
"""The judges of livekit-agents (livekit.agents.evals)."""


class SimulatedUser(_Strict):
    """A user whom a model plays.

    Attributes:
        who: the person.
        goal: their goal.
        opening: their first message; the model's own unless given.
        private: all their messages are.
        max_turns: messages within which they have to reach their goal.
        expect: of the whole conversation, as of one answer.
    """

    who: str = "Somebody who is in no hurry."
    goal: Annotated[str, Field(min_length=1)]
    opening: str = ""
    private: bool = False
    max_turns: Annotated[int, Field(ge=1, le=50)] = 10
    expect: Expected = Expected()


class Criterion(_Strict):
    """A judge, with a criterion in words; without one, it is livekit-agents' of that name."""

    name: Annotated[str, Field(min_length=1)]
    criterion: str = ""

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if not self.criterion and self.name not in get_args(Judge):
            raise ValueError(f"a criterion, or one of {', '.join(get_args(Judge))}")
        return self


def _criterion(value: object) -> object:
    """A judge by its name, in the form of one with a criterion."""
    return {"name": value} if isinstance(value, str) else value


class Scenario(_Strict):
    """A file's conversation.

    Attributes:
        name: of the file unless given.
        metadata: of the dispatch.
        attributes: of the user, as vouched for by the server.
        model: the steps of the demo model, in turn; None: the configured model answers.
        turns: the messages of a scripted user.
        user: a user whom a model plays, in place of turns.
        judges: of the whole conversation; each has to say that it passes.
    """

    name: str = ""
    metadata: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    model: tuple[ModelStep, ...] | None = None
    turns: tuple[Turn, ...] = ()
    user: SimulatedUser | None = None
    judges: tuple[Annotated[Criterion, BeforeValidator(_criterion)], ...] = ()

    @model_validator(mode="after")
    def _has_a_user(self) -> Self:
        if bool(self.turns) == (self.user is not None):
            raise ValueError("turns of a scripted user, or a user whom a model plays")
        return self

    @property
    def needs_evaluator(self) -> bool:
        """Whether a model has to play or to judge."""
        return self.user is not None or bool(self.judges)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a YAML file. Raises ScenarioError."""
        try:
            found = cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ScenarioError(f"{path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ScenarioError(f"{path}: it is not UTF-8 text") from error
        except yaml.YAMLError as error:
            raise ScenarioError(f"{path}: it is not YAML: {error}".replace("\n", " ")) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            # YAML has lists.
            said = first["msg"].replace("valid tuple", "valid list")
            problem = f"{where}: {said}" if where else said
            raise ScenarioError(f"{path}: {problem}") from error
        return found.model_copy(update={"name": found.name or path.stem})
