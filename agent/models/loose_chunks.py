"""Chunks from events that deviate from the API: odd types, nulls, all forms of errors.

It reads all that can be read, and treats the rest as absent.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from agent.models.chunks import (
    Choice,
    Chunk,
    CompletionTokensDetails,
    Delta,
    FunctionDelta,
    PromptTokensDetails,
    ToolCallDelta,
    Usage,
)

_SIGNS_OF_LIFE: Final = frozenset({"ping", "keep-alive", "keepalive", "heartbeat", "processing"})
"""Data that gateways send to keep a connection open."""

_SUCCESS: Final = frozenset({"0", "200", "ok", "success"})
"""Codes of messages that are no errors."""

_ERROR_TEXTS: Final = ("message", "detail", "errors", "error_msg", "errorMessage", "msg")

_decode = msgspec.json.Decoder(Chunk).decode


def chunks_of(event: bytes) -> Iterator[Chunk]:
    """Returns the chunks of an event: one, none, or several.

    Raises:
        ValueError: the event cannot belong to a completion.
    """
    if event.startswith(b"{"):
        try:
            chunk = _decode(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            if chunk.choices or chunk.usage is not None:
                yield chunk
                return
    yield from _loose_chunks(event)


def _loose_chunks(event: bytes) -> Iterator[Chunk]:
    text = event.decode(errors="replace").strip()
    while text.startswith("data:"):  # Frameworks that write `data:` themselves, twice.
        text = text[5:].lstrip()
    if not text or text.lower().rstrip(".") in _SIGNS_OF_LIFE:
        return
    try:
        values = [_parsed(text)]
    except ValueError:
        lines = text.splitlines()
        if len(lines) < 2:
            raise
        values = [_parsed(line) for line in lines if line.strip()]
    for value in values:
        for each in cast("list[object]", value) if isinstance(value, list) else [value]:
            if isinstance(each, str):
                raise ValueError("it is text")
            if isinstance(each, dict):
                yield loose_chunk(cast("dict[str, Any]", each))


def _parsed(text: str) -> object:
    try:
        return json.loads(text, strict=False)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def loose_chunk(fields: Mapping[str, Any]) -> Chunk:
    """The chunk that an object is meant to be."""
    found = cast("object", fields.get("choices"))
    if found is not None and not isinstance(found, list | dict):
        raise ValueError("its choices are no list")
    choices = [_choice(each) for each in _objects(cast("object", found))]
    return Chunk(
        id=_text(fields.get("id")),
        choices=choices,
        usage=_usage(fields.get("usage")),
        service_tier=_text(fields.get("service_tier")),
        error=_error(fields, has_choices=bool(choices)),
    )


def error_of(event: bytes) -> object:
    """The error in an event that is marked as one."""
    try:
        value = _parsed(event.decode(errors="replace"))
    except ValueError:
        return event.decode(errors="replace")
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return fields.get("error") or fields
    return value


def _error(fields: Mapping[str, Any], *, has_choices: bool) -> object:
    """The error in an object, or None.

    Sources: `{"error": …}` OpenAI and most others; `{"object": "error", …}` vLLM; top-level `code`
    and `message` DashScope; `detail` FastAPI; `errors` ModelScope; `base_resp` MiniMax; `ErrorMsg`
    and `Response.Error` Tencent; `success: false` many gateways.
    """
    if error := fields.get("error") or fields.get("ErrorMsg"):
        return error
    if "error" in (fields.get("object"), fields.get("type")):
        return fields
    if error := _wrapped_error(fields):
        return error
    if has_choices or isinstance(fields.get("usage"), dict):
        return None
    is_said = any(fields.get(name) for name in _ERROR_TEXTS)
    is_success = str(fields.get("code")).lower() in _SUCCESS
    return fields if fields.get("success") is False or (is_said and not is_success) else None


def _wrapped_error(fields: Mapping[str, Any]) -> object:
    """The error in an object of the service's own."""
    base, response = (
        cast("dict[str, object]", each) if isinstance(each, dict) else {}
        for each in (fields.get("base_resp"), fields.get("Response"))
    )
    if base.get("status_code"):
        return {"message": base.get("status_msg"), "code": base.get("status_code")}
    return response.get("Error")


def _choice(fields: Mapping[str, Any]) -> Choice:
    return Choice(
        delta=_delta(fields.get("delta")),
        message=_delta(fields.get("message")),
        text=_text(fields.get("text")),
        finish_reason=_text(fields.get("finish_reason")),
        index=_int(fields.get("index")) or 0,
        error=fields.get("error"),
    )


def _delta(value: object) -> Delta | None:
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    content = fields.get("content")
    if isinstance(content, dict):
        content = [cast("object", content)]
    if content is not None and not isinstance(content, str | list):
        content = str(content)
    calls = [_call(each) for each in _objects(fields.get("tool_calls"))]
    return Delta(
        content=cast("str | list[Any] | None", content),
        refusal=_text(fields.get("refusal")),
        reasoning_content=_text(fields.get("reasoning_content")),
        reasoning=_text(fields.get("reasoning")),
        tool_calls=calls or None,
        function_call=_function(fields.get("function_call")),
        extra_content=fields.get("extra_content"),
    )


def _call(fields: Mapping[str, Any]) -> ToolCallDelta:
    identity = fields.get("id")
    return ToolCallDelta(
        index=_int(fields.get("index")),
        id=str(identity) if isinstance(identity, int) else _text(identity),
        function=_function(fields.get("function")) or _function(fields),
        extra_content=fields.get("extra_content"),
    )


def _function(value: object) -> FunctionDelta | None:
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    arguments = fields.get("arguments")
    if arguments is not None and not isinstance(arguments, str | dict):
        arguments = json.dumps(arguments)
    return FunctionDelta(
        name=_text(fields.get("name")), arguments=cast("str | dict[str, Any] | None", arguments)
    )


def _usage(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    prompt, completion = (
        cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        for each in (fields.get("prompt_tokens_details"), fields.get("completion_tokens_details"))
    )
    return Usage(
        prompt_tokens=_int(fields.get("prompt_tokens")),
        completion_tokens=_int(fields.get("completion_tokens")),
        total_tokens=_int(fields.get("total_tokens")),
        prompt_tokens_details=PromptTokensDetails(
            _int(prompt.get("cached_tokens")), _int(prompt.get("cache_write_tokens"))
        ),
        completion_tokens_details=CompletionTokensDetails(_int(completion.get("reasoning_tokens"))),
    )


def _objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; TGI had a single one in place of a list of calls."""
    if isinstance(value, dict):
        return [cast("dict[str, Any]", value)]
    each = cast("list[Any]", value) if isinstance(value, list) else []
    return [item for item in each if isinstance(item, dict)]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _int(value: object) -> int | None:
    try:
        number = float(cast("str", value)) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) else None
