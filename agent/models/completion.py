"""CompletionReader: the events of a completion as livekit-agents' chunks."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import Any, Final, cast

from livekit.agents import llm

from agent.models.call_pieces import CallPieces
from agent.models.chunks import Choice, Chunk, Delta, ToolCallDelta, Usage
from agent.models.finish_reason import LENGTH, finish_reason
from agent.models.visible_text import VisibleText

REASONING: Final = "reasoning"
"""Key in a tool call's `extra`: the reasoning before it, as `{field of the message: text}`.
Services that reason between calls need it in the next request (agent.models.context_messages)."""


class CompletionReader:
    """Reads one answer: its text, its tool calls, and separately the model's reasoning.

    Calls are yielded at the end, once all of their pieces are there, and the usage after them.

    Args:
        opens_thinking, on_reasoning: see VisibleText.
        taken_ids: ids of calls that were made before.

    Attributes:
        finish_reason: why the model stopped, once it has said so.
    """

    def __init__(
        self,
        *,
        opens_thinking: bool = False,
        taken_ids: Container[str] = frozenset(),
        on_reasoning: Callable[[str], None] | None = None,
    ) -> None:
        self.finish_reason: str | None = None
        self.text = VisibleText(opens_thinking=opens_thinking, on_reasoning=on_reasoning)
        self._calls = CallPieces()
        self._taken_ids = taken_ids
        self._reasoning_field = ""
        self._length = 0
        """Characters of text so far."""
        self._id = ""
        self._usage: llm.CompletionUsage | None = None
        """The latest; some services send a running one with each event."""

    @property
    def reasoning(self) -> str:
        """The model's thoughts so far, which are not for readers."""
        return self.text.reasoning

    @property
    def usage(self) -> llm.CompletionUsage | None:
        """The service's token counts, once it has sent them."""
        return self._usage

    @property
    def has_whole_calls(self) -> bool:
        """Whether the model called tools, and all of the calls are there."""
        return self._calls.has_whole

    def read(self, chunk: Chunk) -> Iterator[llm.ChatChunk]:
        """The chunk of an event for the session."""
        self._id = chunk.id or self._id
        for choice in chunk.choices or ():
            delta = self._delta(choice)
            if delta is not None:
                yield llm.ChatChunk(id=self._id, delta=delta)
        if chunk.usage is not None:
            self._usage = _usage(chunk.usage, chunk.service_tier)

    def rest(self, *, complete: bool) -> Iterator[llm.ChatChunk]:
        """The rest, which waited for the end.

        Args:
            complete: the service has sent all of it; else tools are not called.
        """
        text = self.text.finish(complete=complete and self.finish_reason != LENGTH)
        if text:
            yield llm.ChatChunk(id=self._id, delta=llm.ChoiceDelta(role="assistant", content=text))
        calls = list(self._calls.finished(self.finish_reason, self._taken_ids)) if complete else []
        if calls and self._reasoning_field and self.reasoning:
            thought = {self._reasoning_field: self.reasoning}
            calls[0].extra = {**(calls[0].extra or {}), REASONING: thought}
        for call in calls:
            delta = llm.ChoiceDelta(role="assistant", tool_calls=[call])
            yield llm.ChatChunk(id=self._id, delta=delta)
        if self._usage is not None:
            yield llm.ChatChunk(id=self._id, usage=self._usage)

    def _delta(self, choice: Choice) -> llm.ChoiceDelta | None:
        if choice.finish_reason:
            self.finish_reason = finish_reason(choice.finish_reason) or self.finish_reason
        delta = choice.delta or choice.message or (choice.text and Delta(content=choice.text))
        if not delta:  # Azure, where its filter has stopped an answer
            return None
        if delta.reasoning_content or delta.reasoning:
            self._think(delta)
        if delta.tool_calls:
            self._calls.add(delta.tool_calls)
        if delta.function_call is not None:
            self._calls.add([ToolCallDelta(index=0, function=delta.function_call)])
        content = delta.content
        if isinstance(content, list):
            content = self._text_in(content)
        if delta.refusal:
            content = f"{content or ''}{delta.refusal}"
        if content and delta is choice.message:
            # A whole message at the end of a stream repeats what came in pieces.
            content = content[self._length :]
        if content:
            self._length += len(content)
            content = self.text.push(content)
        if not (content or delta.extra_content):
            return None
        return llm.ChoiceDelta(role="assistant", content=content, extra=delta.extra_content)

    def _think(self, delta: Delta) -> None:
        if delta.reasoning_content:
            self._reasoning_field = "reasoning_content"
            self.text.think(delta.reasoning_content)
        elif delta.reasoning:
            self._reasoning_field = self._reasoning_field or "reasoning"
            self.text.think(delta.reasoning)

    def _text_in(self, parts: list[Any]) -> str:
        """The text of content that is a list of parts; those of reasoning are kept apart."""
        texts: list[str] = []
        for part in parts:
            fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {"text": part}
            kind = str(fields.get("type") or "text")
            thought = fields.get("thinking") or fields.get("reasoning")
            if thought or "think" in kind or "reason" in kind:
                self.text.think(_joined(thought or fields.get("text")))
                continue
            text = fields.get("text") or fields.get("refusal")
            texts.append(text if isinstance(text, str) else "")
        return "".join(texts)


def _joined(value: object) -> str:
    if isinstance(value, list):
        return "".join(_joined(each) for each in cast("list[object]", value))
    if isinstance(value, dict):
        return _joined(cast("dict[str, object]", value).get("text"))
    return value if isinstance(value, str) else ""


def _usage(usage: Usage, service_tier: str | None) -> llm.CompletionUsage:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return llm.CompletionUsage(
        completion_tokens=int(usage.completion_tokens or 0),
        prompt_tokens=int(usage.prompt_tokens or 0),
        prompt_cached_tokens=int((prompt and prompt.cached_tokens) or 0),
        cache_creation_tokens=int((prompt and prompt.cache_write_tokens) or 0),
        reasoning_tokens=int((completion and completion.reasoning_tokens) or 0),
        total_tokens=int(usage.total_tokens or 0),
        service_tier=service_tier,
    )
