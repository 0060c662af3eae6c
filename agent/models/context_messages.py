"""A context as the messages of a request to a chat completions API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from livekit.agents import llm


def context_messages(context: llm.ChatContext) -> list[dict[str, Any]]:
    """What livekit-agents makes of a context, in a tenth of the time where it is text alone.

    It puts what a step said, its calls and their results together, which may be spread over all
    that is between the first and the last of them; what comes before and after is text.
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
    return [*_texts(items[:first]), *between, *_texts(items[end:])]


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
    """The id of what was said in the same step (llm/_provider_format/utils.py)."""
    return call.group_id or call.id.split("/")[0]
