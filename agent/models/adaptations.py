"""Adaptations: a request without the parts that a service refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from agent.models.refused_field import (
    NO_CONTENT,
    NO_THOUGHTS,
    PICTURES,
    ROLES_IN_A_ROW,
    SYSTEM,
    THOUGHTS,
    TOOLS,
)

_PICTURE_LEFT_OUT: Final = "[A picture is left out here: the model cannot see.]"

_BETWEEN: Final = "\n\n"
"""Between the texts of two messages that become one."""

Message = dict[str, Any]


def adapt(body: dict[str, object], part: str) -> None:
    """Changes a request as agent.models.refused_field has found necessary."""
    if (adaptation := _ADAPTATIONS.get(part)) is not None:
        adaptation(body)
    else:
        body.pop(part, None)


def _without_tools(body: dict[str, object]) -> None:
    for name in (TOOLS, "tool_choice", "parallel_tool_calls"):
        body.pop(name, None)


def _with_max_tokens(body: dict[str, object]) -> None:
    """The limit under the name that it had before OpenAI's o1; most services know both."""
    limit = body.pop("max_completion_tokens", None)
    if limit is not None:
        body["max_tokens"] = limit


def _without_thoughts(body: dict[str, object]) -> None:
    body["messages"] = [
        {key: value for key, value in message.items() if key not in (THOUGHTS, "reasoning")}
        for message in _messages(body)
    ]


def _with_thoughts(body: dict[str, object]) -> None:
    """Puts `reasoning_content` into all messages of the model: under that name where the service
    said it under another, and empty where there is none, as Kimi and DeepSeek accept."""
    body["messages"] = [
        {THOUGHTS: message.get("reasoning", ""), **message}
        if message.get("role") == "assistant"
        else message
        for message in _messages(body)
    ]


def _with_content(body: dict[str, object]) -> None:
    body["messages"] = [
        {**message, "content": message.get("content") or ""} for message in _messages(body)
    ]


def _without_pictures(body: dict[str, object]) -> None:
    body["messages"] = [
        {**message, "content": _text_of(cast("list[Message]", message["content"]))}
        if isinstance(message.get("content"), list)
        else message
        for message in _messages(body)
    ]


def _text_of(parts: Sequence[Message]) -> str:
    return "\n".join(str(part.get("text") or _PICTURE_LEFT_OUT) for part in parts)


def _without_system(body: dict[str, object]) -> None:
    """Puts the instructions at the beginning of the user's first message."""
    messages = [dict(message) for message in _messages(body)]
    system = [message for message in messages if message.get("role") == "system"]
    others = [message for message in messages if message.get("role") != "system"]
    instructions = "\n\n".join(str(message.get("content") or "") for message in system)
    first = next((message for message in others if message.get("role") == "user"), None)
    if first is None:
        others.insert(0, {"role": "user", "content": instructions})
    elif isinstance(first["content"], list):
        first["content"] = [{"type": "text", "text": instructions}, *first["content"]]
    else:
        first["content"] = f"{instructions}\n\n{first['content']}"
    body["messages"] = others


def _with_roles_in_turn(body: dict[str, object]) -> None:
    """Merges consecutive messages of one role: a question whose answer failed is followed by
    another question, and many templates require alternating roles."""
    merged: list[Message] = []
    for message in _messages(body):
        last = merged[-1] if merged else None
        if last is None or last["role"] != message["role"] or not _can_follow(last, message):
            merged.append(message)
            continue
        merged[-1] = {
            **last,
            **message,
            "content": _joined(last.get("content"), message.get("content")),
        }
    body["messages"] = merged


def _can_follow(last: Message, message: Message) -> bool:
    """Whether a message can be appended to another of its role. Results of calls stay apart; so
    does all that comes after a call, which has a result before it."""
    return message["role"] != "tool" and "tool_calls" not in last and "extra_content" not in last


def _joined(
    first: str | list[Any] | None, second: str | list[Any] | None
) -> str | list[Any] | None:
    if not first or not second:
        return first or second
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}{_BETWEEN}{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: str | list[Any]) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _messages(body: Mapping[str, object]) -> Sequence[Message]:
    return cast("Sequence[Message]", body.get("messages") or ())


_ADAPTATIONS: Final[dict[str, Callable[[dict[str, object]], object]]] = {
    TOOLS: _without_tools,
    "max_completion_tokens": _with_max_tokens,
    THOUGHTS: _without_thoughts,
    NO_THOUGHTS: _with_thoughts,
    ROLES_IN_A_ROW: _with_roles_in_turn,
    NO_CONTENT: _with_content,
    PICTURES: _without_pictures,
    SYSTEM: _without_system,
}
