"""CallQuestions: the questions of one tool call to its caller and to the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from agent.tool_calls.approvals import Approvals, Asker
from toolkit.caller import Caller
from toolkit.errors import InvalidArguments, RateLimited
from toolkit.questions import Elicitation, Elicited, Sampled, Sampling
from toolkit.tool import Tool

MAX_QUESTIONS: Final = 8
"""Questions of one call, to people and to the model together."""

MAX_NAME: Final = 64
SUFFIX: Final = "_sampling"
"""The name of the tool that people see in the question, by the name of the one that asks."""

AskModel = Callable[[Sampling, Caller], Awaitable[Sampled]]
"""Asks the room's model for somebody; raises ToolError."""


class CallQuestions:
    """Asks for one call; each question of it has a number.

    Args:
        asker: the participant and the message for which the call is made.
    """

    def __init__(
        self, approvals: Approvals, ask_model: AskModel, tool: Tool, asker: Asker, call_id: str
    ) -> None:
        self._approvals = approvals
        self._ask_model = ask_model
        self._tool = tool
        self._asker = asker
        self._call_id = call_id
        self._asked = 0

    async def elicit(self, question: Elicitation) -> Elicited:
        """Asks the caller; raises ToolError, as `Approvals.elicit` does."""
        self._count()
        return await self._approvals.elicit(
            self._asker, self._call_id, self._asked, self._tool, question
        )

    async def sample(self, sampling: Sampling) -> Sampled:
        """Asks the caller whether the model may be asked, and the model; raises ToolError."""
        self._count()
        texts = [{"role": role, "text": text} for role, text in sampling.messages]
        if not any(each["text"].strip() for each in texts):
            raise InvalidArguments("There is nothing to ask the model")
        shown: Mapping[str, object] = {
            "messages": texts,
            **({"systemPrompt": sampling.system_prompt} if sampling.system_prompt else {}),
        }
        asked = Tool(
            name=f"{self._tool.name[: MAX_NAME - len(SUFFIX)]}{SUFFIX}",
            description=f"{sampling.asker} asks the model something, and gets the answer.",
            parameters=self._tool.parameters,
            function=self._tool.function,
            needs_approval=True,
        )
        call_id = f"{self._call_id}.{self._asked}"
        await self._approvals.ask(self._asker, call_id, asked, shown)
        return await self._ask_model(sampling, self._asker.caller)

    def _count(self) -> None:
        if self._asked >= MAX_QUESTIONS:
            raise RateLimited(f"A call may ask {MAX_QUESTIONS} questions")
        self._asked += 1
