"""A context as the messages of a request to a chat completions API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from livekit.agents import llm

from agent.models.completion import REASONING


def context_messages(context: llm.ChatContext) -> list[dict[str, Any]]:
    """Returns livekit-agents' messages for a context, in a tenth of the time for text alone.

    livekit-agents puts what a step said, its calls and their results together, which may be spread
    over all that is between the first and the last of them; what comes before and after is text.

    Beyond that, the reasoning before a call is sent back with it, in the field in which it came
    (https://api-docs.deepseek.com/guides/thinking_mode#tool-calls).
    """
    items = context.items
    steps = {_step(item) for item in items if item.type == "function_call"}
    others = [place for place, item in enumerate(items) if not _is_text(item, steps)]
    if not others:
        return _texts(items)
    first, end = others[0], others[-1] + 1
    between = cast(
        "list[dict[str, Any]]",
        llm.ChatContext(items[first:end]).to_provider_format("openai")[0],
    )
    _give_thoughts_back(between, items[first:end])
    return [*_texts(items[:first]), *between, *_texts(items[end:])]


def _give_thoughts_back(messages: list[dict[str, Any]], items: Sequence[llm.ChatItem]) -> None:
    thoughts: dict[str, dict[str, str]] = {
        item.call_id: item.extra[REASONING]
        for item in items
        if item.type == "function_call" and REASONING in item.extra
    }
    for message in messages:
        calls = cast("list[dict[str, Any]]", message.get("tool_calls") or [])
        if calls:
            for call in calls:
                message.update(thoughts.get(call["id"], {}))


def _texts(items: Sequence[llm.ChatItem]) -> list[dict[str, Any]]:
    return [
        {"role": item.role, "content": item.content[0]} for item in items if item.type == "message"
    ]


def _is_text(item: llm.ChatItem, steps: set[str]) -> bool:
    """Whether it is one text, and nothing else belongs to it."""
    return (
        item.type == "message"
        and len(item.content) == 1
        and type(item.content[0]) is str
        and not item.extra
        and item.id not in steps
    )


def _step(call: llm.FunctionCall) -> str:
    """The id of the message of the same step (llm/_provider_format/utils.py)."""
    return call.group_id or call.id.split("/")[0]
