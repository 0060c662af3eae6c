"""ErrorReport: a service's error response, in any of its forms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

MAX_MESSAGE: Final = 500
"""Characters of a message that are kept."""

MAX_FIELDS: Final = 20
_MAX_DEPTH: Final = 5
_MESSAGE_KEYS: Final = (
    "message",
    "msg",
    "detail",
    "error_msg",
    "errorMessage",
    "status_msg",
    "Message",
    "Msg",
    "error",
    "errors",
    "title",
)
_INPUT: Final = re.compile(r"""(?:['"]input(?:_value)?['"]\s{0,8}:|\binput_value=).*""", re.DOTALL)
"""The place where pydantic repeats its input, which may be the conversation."""


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error, as far as it is known.

    Attributes:
        message: for people, at most MAX_MESSAGE characters; without the request's own content as
            far as its form shows what that is.
        code, kind, param: the API's `code`, `type` and `param`.
        fields: names of the fields of the request that are said to be wrong.
        status: an HTTP status in the body, which has more to say than that of a 200.
    """

    message: str = ""
    code: str | None = None
    kind: str | None = None
    param: str | None = None
    fields: tuple[str, ...] = ()
    status: int | None = None

    @classmethod
    def of(cls, body: object) -> ErrorReport:
        """Reads text, JSON in text, or decoded JSON.

        Known forms: `{"error": {…}}` and `{"error": "…"}` (OpenAI, Ollama, TGI), the same in a list
        (Gemini), `{"object": "error", "message": "…"}` (vLLM), `{"detail": [{"loc", "msg"}]}`
        (FastAPI), the same as the `message` (Mistral), top-level `code` and `message` (DashScope).
        """
        if isinstance(body, str):
            try:
                parsed: object = msgspec.json.decode(body)
            except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
                return cls(message=_short(body))
            body = parsed
        fields = _innermost(body)
        return cls(
            message=_short(_message(body, 0)),
            code=_word(fields.get("code") or fields.get("error_code")),
            kind=_word(fields.get("type") or fields.get("error_type") or fields.get("status")),
            param=_word(fields.get("param")),
            fields=tuple(_locations(body, 0))[:MAX_FIELDS],
            status=_status(fields),
        )


def _innermost(body: object) -> dict[str, Any]:
    """The object that has code and type in it."""
    for _ in range(_MAX_DEPTH):
        if isinstance(body, list) and body:
            body = cast("list[object]", body)[0]
        elif isinstance(body, dict):
            fields = cast("dict[str, Any]", body)
            inner = fields.get("error") or fields.get("errors")
            if not isinstance(inner, dict | list):
                return fields
            body = cast("object", inner)
        else:
            break
    return {}


def _message(value: object, depth: int) -> str:
    if isinstance(value, str):
        return value
    if depth > _MAX_DEPTH:
        return ""
    if isinstance(value, list):
        parts = (_message(each, depth + 1) for each in cast("list[object]", value)[:MAX_FIELDS])
        return "; ".join(filter(None, parts))
    if not isinstance(value, dict):
        return ""
    fields = cast("dict[str, object]", value)
    place = _place(fields)
    for key in _MESSAGE_KEYS:
        if found := _message(fields.get(key), depth + 1):
            return f"{place}: {found}" if place else found
    said = (
        f"{name}: {_message(cast('list[object]', each), depth + 1)}"
        for name, each in fields.items()
        if depth and isinstance(each, list)
    )
    return place or "; ".join(said)


def _locations(value: object, depth: int) -> Iterable[str]:
    """The fields that a list of problems names: `{"loc": ["body", "stream_options"], …}`."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for each in cast("list[object]", value)[:MAX_FIELDS]:
            yield from _locations(each, depth + 1)
    elif isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        if place := _place(fields):
            yield place
        for key in _MESSAGE_KEYS:
            if not isinstance(inner := fields.get(key), str):
                yield from _locations(inner, depth + 1)
        named = fields.get("errors")
        if isinstance(named, dict):
            # `{"errors": {"stream_options": ["unknown field"]}}`: Django, Rails.
            yield from list(cast("dict[str, object]", named))[:MAX_FIELDS]


def _place(fields: dict[str, object]) -> str:
    loc = fields.get("loc")
    if not isinstance(loc, list):
        return ""
    parts = [str(each) for each in cast("list[object]", loc)[:MAX_FIELDS]]
    return ".".join(parts[1:] if parts[:1] == ["body"] else parts)


def _status(fields: dict[str, Any]) -> int | None:
    for key in ("status_code", "http_status_code", "status", "code"):
        try:
            status = int(fields.get(key) or 0)
        except (TypeError, ValueError):
            continue
        if 400 <= status <= 599:
            return status
    return None


def _word(value: object) -> str | None:
    return _short(str(value)) if isinstance(value, str | int) else None


def _short(text: str) -> str:
    text = text[: 8 * MAX_MESSAGE]
    if repeated := _INPUT.search(text):
        text = text[: repeated.start()].rstrip(",; \t\r\n")
    text = " ".join(text.split())
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"
