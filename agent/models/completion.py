"""CompletionReader: the events of a completion as livekit-agents' chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from livekit.agents import llm, utils
from livekit.agents.llm.utils import ThinkingTokenFilter, strip_thinking_tokens

from agent.models.openai_stream import Choice, Chunk, ToolCallDelta, Usage


@dataclass(slots=True)
class _Call:
    """A tool call whose arguments are still coming."""

    index: int | None
    id: str
    name: str
    arguments: str
    extra: dict[str, Any] | None

    def finished(self) -> llm.FunctionToolCall:
        return llm.FunctionToolCall(
            name=self.name, arguments=self.arguments, call_id=self.id, extra=self.extra
        )


class CompletionReader:
    """Puts tool calls together, and leaves out what the model only thinks.

    Services differ: calls may have ids or none, come in one piece or in many, several of them with
    the same index.
    """

    def __init__(self) -> None:
        self._thinking = ThinkingTokenFilter()
        self._call: _Call | None = None

    def read(self, chunk: Chunk) -> Iterator[llm.ChatChunk]:
        """What an event has for the session."""
        for choice in chunk.choices:
            delta = self._delta(choice)
            if delta is not None:
                yield llm.ChatChunk(id=chunk.id, delta=delta)
        if chunk.usage is not None:
            yield llm.ChatChunk(id=chunk.id, usage=_usage(chunk.usage, chunk.service_tier))

    def _delta(self, choice: Choice) -> llm.ChoiceDelta | None:
        delta = choice.delta
        if delta is None:  # Azure, where its filter has stopped an answer
            return None
        reason = choice.finish_reason
        text = strip_thinking_tokens(delta.content, self._thinking, final=reason is not None)
        calls = [call for each in delta.tool_calls or () for call in self._completed_by(each)]
        if reason in {"tool_calls", "stop"} and self._call is not None:
            calls.append(self._call.finished())
            self._call = None
        if not (text or calls or delta.extra_content):
            return None
        return llm.ChoiceDelta(
            role="assistant", content=text, tool_calls=calls, extra=delta.extra_content
        )

    def _completed_by(self, delta: ToolCallDelta) -> Iterator[llm.FunctionToolCall]:
        """The call before this one, where this is the beginning of another."""
        function, call = delta.function, self._call
        if function is None:
            return
        if call is not None and not _is_other(delta, call):
            call.arguments += function.arguments or ""
            return
        if not function.name:
            return
        if call is not None:
            yield call.finished()
        self._call = _Call(
            delta.index,
            delta.id or utils.shortuuid("call_"),
            function.name,
            function.arguments or "",
            delta.extra_content,
        )


def _is_other(delta: ToolCallDelta, call: _Call) -> bool:
    if delta.id:
        return delta.id != call.id
    named = delta.function is not None and bool(delta.function.name)
    return named or delta.index != call.index


def _usage(usage: Usage, service_tier: str | None) -> llm.CompletionUsage:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return llm.CompletionUsage(
        completion_tokens=usage.completion_tokens or 0,
        prompt_tokens=usage.prompt_tokens or 0,
        prompt_cached_tokens=(prompt and prompt.cached_tokens) or 0,
        cache_creation_tokens=(prompt and prompt.cache_write_tokens) or 0,
        reasoning_tokens=(completion and completion.reasoning_tokens) or 0,
        total_tokens=usage.total_tokens or 0,
        service_tier=service_tier,
    )
