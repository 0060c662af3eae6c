"""HTTP answers of the demo model, its errors in the API's shape."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web

from devserver.model.wire import error_body

_ERRORS: Final = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
"""Status to the API's error type and code; any other is a server error."""


@web.middleware
async def api_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Give errors that aiohttp raises (no such path, too large a body) the API's shape."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return error_response(error.status, f"{error.reason} ({request.method} {request.path})")


def json_response(
    body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=body, status=status, headers=headers or {}, content_type="application/json"
    )


def error_response(
    status: int,
    message: str | None,
    *,
    headers: dict[str, str] | None = None,
    retry_after: float | None = None,
) -> web.Response:
    kind, code = _ERRORS.get(
        status, ("invalid_request_error", None) if status < 500 else ("server_error", None)
    )
    message = message or f"The demo model fails on request: {HTTPStatus(status).phrase}."
    all_headers = dict(headers or {})
    if retry_after is not None:
        all_headers["retry-after"] = f"{retry_after:g}"
    body = error_body(message, kind=kind, code=code)
    return json_response(body, status=status, headers=all_headers)
