"""Failures of a request as the official client's own exceptions.

livekit-agents tells what to retry by these classes (inference/llm.py, LLMStream._run), so
status, body, message and request id are filled as openai/_base_client.py and _client.py fill them.
What a server says is kept short, since it ends up in logs, and the API key is struck out of it.
"""

from typing import cast

import aiohttp
import httpx2
import msgspec
import openai

MAX_BODY_BYTES = 64 * 2**10
MAX_TEXT_CHARS = 500

_BY_STATUS: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}


def status_error(
    request: httpx2.Request, response: aiohttp.ClientResponse, body: bytes
) -> openai.APIStatusError:
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
    kind = _BY_STATUS.get(response.status) or (
        openai.InternalServerError if response.status >= 500 else openai.APIStatusError
    )
    answer = httpx2.Response(
        response.status, headers=list(response.headers.items()), request=request
    )
    return kind(message, response=answer, body=data)


def stream_error(request: httpx2.Request, error: object) -> openai.APIError:
    """The exception for an event with an `error`, which a server sends once the stream is open."""
    data = _short_error({"error": error})
    message = data.get("message") if isinstance(data, dict) else None
    return openai.APIError(str(message or "An error occurred during streaming"), request, body=data)


def connection_error(
    request: httpx2.Request, message: str = "Connection error."
) -> openai.APIConnectionError:
    return openai.APIConnectionError(message=message, request=request)


def timeout_error(request: httpx2.Request) -> openai.APITimeoutError:
    return openai.APITimeoutError(request=request)


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
