"""Evaluator: a model that plays the user of a conversation, and judges it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from livekit.agents import APIError, evals, llm
from livekit.agents.llm import function_tool

from agent.config.proxies import Proxies
from agent.models.llm import build_client, build_llm
from agent.models.timeouts import Timeouts
from agent.testing.scenario import Criterion, ScenarioError, SimulatedUser

TIMEOUT: Final = 90.0
"""Seconds that one answer of the model may take."""

_OPENAI: Final = "https://api.openai.com/v1"
_MODEL: Final = "gpt-4.1-mini"

_PLAY: Final = """\
You play a person who talks to an assistant, to test it. You are not the assistant, and do not \
help it.
Who you are: {who}
What you want: {goal}
Write only what this person would write next, in a sentence or two, in their language. Tell \
details when you are asked for them, and make up none that are not given here. Once you have what \
you want, or it is clear that you will not get it, call end_conversation and write nothing."""

_BEGIN: Final = "(The conversation begins. Write your first message.)"

_JUDGE: Final = """\
You judge conversations of an assistant with its user by a criterion. Call submit_verdict with \
`pass` if it is met, `fail` if it is not, `maybe` if that cannot be said, and with your reason in \
a sentence."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The simulated user ends the conversation."""

    reached: bool
    why: str


@dataclass(frozen=True, slots=True)
class Judgment:
    """A judge's verdict: `pass`, `fail`, `maybe`, or `error` if it gave none."""

    judge: str
    verdict: str
    reasoning: str


class Evaluator:
    """Asks one model for all scenarios. Use it as an async context manager.

    EVAL_MODEL, EVAL_BASE_URL and EVAL_API_KEY choose the model; LLM_MODEL and OPENAI_BASE_URL stand
    in for each that is not set. OPENAI_API_KEY does where EVAL_BASE_URL is not set either: a key
    goes to its own service.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """
        Raises:
            ScenarioError: neither an address nor a key is set.
        """
        own_url, agents_url = environ.get("EVAL_BASE_URL"), environ.get("OPENAI_BASE_URL")
        key, url = environ.get("EVAL_API_KEY"), own_url or agents_url
        if not key and (not own_url or own_url == (agents_url or _OPENAI)):
            key = environ.get("OPENAI_API_KEY")
        if not key and not url:
            raise ScenarioError(
                "a simulated user and judges need a model: set EVAL_BASE_URL, EVAL_MODEL and "
                "EVAL_API_KEY, or those of the agent's model"
            )
        url = url or _OPENAI
        self._client = build_client(
            base_url=url,
            api_key=key,
            proxy=Proxies.of(environ).for_url(url),
            timeouts=Timeouts(first_byte=TIMEOUT, silence=TIMEOUT),
        )
        name = environ.get("EVAL_MODEL") or environ.get("LLM_MODEL") or _MODEL
        self._llm = build_llm(self._client, model=name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._llm.aclose()
        await self._client.close()

    async def next_message(
        self, user: SimulatedUser, said: Sequence[tuple[str, str]]
    ) -> str | Ended:
        """The user's next message, or the end of the conversation.

        Args:
            said: messages of the user and their answers.

        Raises:
            APIError: the model fails.
            TimeoutError: it takes too long.
        """
        if not said and user.opening:
            return user.opening
        context = llm.ChatContext.empty()
        context.add_message(role="system", content=_PLAY.format(who=user.who, goal=user.goal))
        context.add_message(role="user", content=_BEGIN)
        for message, answer in said:
            context.add_message(role="assistant", content=message)
            context.add_message(role="user", content=answer or "(no answer)")

        @function_tool
        async def end_conversation(reached: bool, why: str) -> None:
            """End the conversation.

            Args:
                reached: Whether you have what you want.
                why: In a sentence.
            """

        response = await self._ask(context, end_conversation)
        if response.tool_calls:
            reached, why = _arguments(end_conversation, response.tool_calls[0], "reached", "why")
            return Ended(reached is True, str(why))
        return response.text.strip() or Ended(reached=False, why="it wrote nothing")

    async def judge(
        self, criteria: Sequence[Criterion], conversation: Sequence[llm.ChatItem]
    ) -> list[Judgment]:
        """The judgment of each judge on a conversation."""
        context = llm.ChatContext(list(conversation))
        return list(await asyncio.gather(*(self._judge(each, context) for each in criteria)))

    async def _judge(self, criterion: Criterion, context: llm.ChatContext) -> Judgment:
        try:
            async with asyncio.timeout(TIMEOUT):
                if criterion.criterion:
                    return await self._judge_by(criterion, context)
                judge: evals.Evaluator = getattr(evals, f"{criterion.name}_judge")()
                found = await judge.evaluate(chat_ctx=context, llm=self._llm)
        except Exception as error:
            # The boundary around a judge, which raises whatever a model's answer leads to.
            return Judgment(criterion.name, "error", f"{type(error).__name__}: {error}")
        return Judgment(criterion.name, found.verdict, found.reasoning)

    async def _judge_by(self, criterion: Criterion, context: llm.ChatContext) -> Judgment:
        @function_tool
        async def submit_verdict(verdict: evals.Verdict, reasoning: str) -> None:
            """Submit your verdict."""

        asked = llm.ChatContext.empty()
        asked.add_message(role="system", content=_JUDGE)
        said = f"Criterion: {criterion.criterion}\n\nConversation:\n{_record(context.items)}"
        asked.add_message(role="user", content=said)
        response = await self._ask(asked, submit_verdict, tool_choice="required")
        if not response.tool_calls:
            return Judgment(criterion.name, "error", "it gave no verdict")
        names = ("verdict", "reasoning")
        verdict, reasoning = _arguments(submit_verdict, response.tool_calls[0], *names)
        return Judgment(criterion.name, str(verdict), str(reasoning))

    async def _ask(
        self,
        context: llm.ChatContext,
        tool: llm.FunctionTool[..., Any],
        **options: Any,  # noqa: ANN401 - whatever `chat` has
    ) -> llm.CollectedResponse:
        async with asyncio.timeout(TIMEOUT):
            return await self._llm.chat(chat_ctx=context, tools=[tool], **options).collect()


def _arguments(
    tool: llm.FunctionTool[..., Any], call: llm.FunctionToolCall, *names: str
) -> list[object]:
    """The arguments of a call; raises APIError if they do not fit."""
    try:
        args, kwargs = llm.utils.prepare_function_arguments(fnc=tool, json_arguments=call.arguments)
    except (TypeError, ValueError) as error:
        raise APIError(f"the model's call of {call.name} cannot be read: {error}") from error
    given = dict(zip(names, args, strict=False)) | kwargs
    return [given.get(name) for name in names]


def _record(items: Sequence[llm.ChatItem]) -> str:
    """A conversation, line by line, as livekit-agents' judges have it."""
    lines: list[str] = []
    for item in items:
        if isinstance(item, llm.ChatMessage):
            lines.append(f"{item.role}: {item.text_content or ''}")
        elif isinstance(item, llm.FunctionCall):
            lines.append(f"[function call: {item.name}({item.arguments})]")
        elif isinstance(item, llm.FunctionCallOutput):
            kind = "error" if item.is_error else "output"
            lines.append(f"[function {kind}: {item.output}]")
        elif isinstance(item, llm.AgentHandoff):
            lines.append(f"[agent handoff: {item.old_agent_id} -> {item.new_agent_id}]")
    return "\n".join(lines)
