"""ToolLoop: asks the model, calls the tools it wants, and asks again, until it has answered."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from livekit.agents import llm, utils
from livekit.agents.llm.utils import parse_function_arguments

from agent.models.assistant import Assistant

logger = logging.getLogger(__name__)


class Text(Protocol):
    """Takes the model's text."""

    def push(self, text: str) -> None:
        """Adds a piece of text; never waits."""

    def flush(self) -> None:
        """Notes that a step has no more text."""


class ToolLoop:
    """Makes one answer in writing, in as many steps as it takes.

    Attributes:
        finish_reason: the model's own for its last step, once that has ended.
        said: the model's messages and calls so far, in order. A message cut off by a failure or an
            interruption is included, as `interrupted`; a call only with its result.
    """

    def __init__(
        self,
        assistant: Assistant,
        text: Text,
        *,
        on_reasoning: Callable[[str], None] | None = None,
    ) -> None:
        """`on_reasoning`: called with each piece of the model's reasoning."""
        self.said: list[llm.ChatItem] = []
        self.finish_reason: str | None = None
        self._assistant = assistant
        self._text = text
        self._on_reasoning = on_reasoning

    async def run(self, items: Iterable[llm.ChatItem]) -> None:
        """Answers the last of these items of a conversation.

        Cancel it to stop the answer; calls in progress are cancelled, too.

        Raises:
            APIError: the model is unavailable, or stopped in the middle.
        """
        before = list(items)
        assistant = self._assistant
        for step in range(assistant.tool_steps + 1):
            options = {"tool_choice": "none"} if step == assistant.tool_steps else {}
            # A tool may have handed the conversation over: then it is another agent's from here on.
            instructions = llm.ChatMessage(role="system", content=[assistant.instructions])
            calls = await self._ask(llm.ChatContext([instructions, *before, *self.said]), options)
            if calls and options:
                logger.warning(
                    "model called tools although tool_choice forbids it; ignoring the calls"
                )
            if not calls or options:
                return
            await self._call_all(calls)
            if assistant.in_session:
                return

    async def _ask(
        self, context: llm.ChatContext, options: dict[str, Any]
    ) -> Sequence[llm.FunctionCall]:
        """One step: passes on the model's text, and returns the calls that it requests."""
        tools = self._assistant.tools.function_tools
        step = utils.shortuuid("item_")
        texts: list[str] = []
        calls: list[llm.FunctionCall] = []
        extra: dict[str, Any] = {}
        whole = False
        self.finish_reason = None
        asked = self._assistant.model.ask(
            context,
            tools,
            on_finish=self._on_finish,
            on_reasoning=self._on_reasoning,
            **(options if tools else {}),
        )
        try:
            async with aclosing(asked) as answer:
                async for chunk in answer:
                    if (delta := chunk.delta) is None:
                        continue
                    if delta.content:
                        texts.append(delta.content)
                        self._text.push(delta.content)
                    for call in delta.tool_calls:
                        calls.append(_function_call(call, f"{step}/fnc_{len(calls)}"))
                    extra |= delta.extra or {}
            whole = True
        finally:
            if texts:
                message = llm.ChatMessage(
                    id=step,
                    role="assistant",
                    content=["".join(texts)],
                    interrupted=not whole,
                    extra=extra,
                )
                self.said.append(message)
        self._text.flush()
        return calls

    def _on_finish(self, reason: str) -> None:
        self.finish_reason = reason

    async def _call_all(self, calls: Sequence[llm.FunctionCall]) -> None:
        """Calls tools side by side; finished calls are kept, even if the rest is cancelled."""
        tasks = [asyncio.create_task(self._call(call), name="tool call") for call in calls]
        try:
            await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            done = [
                (call, task.result())
                for call, task in zip(calls, tasks, strict=True)
                if not task.cancelled()
            ]
            self.said += [call for call, _ in done]
            self.said += [result for _, result in done]

    async def _call(self, call: llm.FunctionCall) -> llm.FunctionCallOutput:
        """The result of a call, which may be that it failed."""
        try:
            arguments = _arguments(call)
            output = await self._assistant.tools.call(call.name, arguments)
        except llm.ToolError as error:
            return _result(call, error.message, is_error=True)
        except Exception:
            # The boundary of one tool: the model gets an error without its cause.
            logger.exception("tool failed unexpectedly: %s", call.name)
            return _result(call, "An internal error occurred", is_error=True)
        return _result(call, output)


def _function_call(call: llm.FunctionToolCall, item_id: str) -> llm.FunctionCall:
    """A call as a context has it; those of one step are known by the beginning of their ids
    (livekit-agents, llm/_provider_format/utils.py)."""
    return llm.FunctionCall(
        id=item_id,
        call_id=call.call_id,
        name=call.name,
        arguments=call.arguments,
        extra=call.extra or {},
    )


def _arguments(call: llm.FunctionCall) -> dict[str, Any]:
    """The arguments, repaired if need be, also in the call; raises ToolError."""
    try:
        arguments = parse_function_arguments(call.arguments or "{}")
    except ValueError as error:
        raise llm.ToolError(f"Error parsing arguments for `{call.name}`: {error}") from error
    call.arguments = json.dumps(arguments)
    return arguments


def _result(
    call: llm.FunctionCall, output: str, *, is_error: bool = False
) -> llm.FunctionCallOutput:
    return llm.FunctionCallOutput(
        name=call.name, call_id=call.call_id, output=output, is_error=is_error
    )
