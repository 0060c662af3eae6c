"""Failures of a request as livekit-agents' exceptions, with what the plugin says in them.

What a server says is kept short, since it ends up in logs.
"""

from typing import cast

import aiohttp
import msgspec
from livekit.agents import APIConnectionError, APIStatusError

MAX_BODY_BYTES = 64 * 2**10
MAX_TEXT_CHARS = 500


class BrokenAnswerError(Exception):
    """An answer broke off, or was no answer: why an APIConnectionError was raised."""


def status_error(response: aiohttp.ClientResponse, body: bytes) -> APIStatusError:
    """The exception for an answer of any status but 200; `body` is what was read of it."""
    text = body.decode(errors="replace").strip()
    data: object = _short_text(text)
    message = f"Error code: {response.status}"
    try:
        parsed = msgspec.json.decode(text)
    except msgspec.DecodeError:
        pass
    else:
        data = _short_error(parsed)
        if isinstance(data, dict) and (said := data.get("message")):
            message += f" - {said}"
    return APIStatusError(
        message,
        status_code=response.status,
        request_id=response.headers.get("x-request-id"),
        body=data,
    )


def stream_error(error: object) -> APIConnectionError:
    """The exception for an event with an `error`, which a server sends once the stream is open."""
    data = _short_error({"error": error})
    message = data.get("message") if isinstance(data, dict) else None
    return broken_answer(str(message or "An error occurred during streaming"))


def broken_answer(reason: str, cause: BaseException | None = None) -> APIConnectionError:
    """The exception for an answer that broke off or is none, to be raised later.

    Its text names the reason: livekit-agents tells it where the error is logged.
    """
    error = APIConnectionError()
    error.__cause__ = BrokenAnswerError(reason)
    error.__cause__.__cause__ = cause
    return error


def _short_error(body: object) -> dict[str, object] | str:
    """The API's error object, `{message, type, param, code}`, from the body that it came in."""
    error: object = body
    if isinstance(body, dict):
        outer = cast("dict[str, object]", body)
        error = outer.get("error") or outer
    if isinstance(error, dict):
        fields = cast("dict[str, object]", error)
        known = {key: fields[key] for key in ("message", "type", "param", "code") if key in fields}
        if known and all(isinstance(value, str | int | None) for value in known.values()):
            return {
                key: _short_text(value) if isinstance(value, str) else value
                for key, value in known.items()
            }
    return _short_text(error if isinstance(error, str) else str(cast("object", error)))


def _short_text(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARS else text[:MAX_TEXT_CHARS] + "…"
