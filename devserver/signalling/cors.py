"""Cross-origin access, which livekit-server grants to every page: its tokens decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MAX_AGE_SECONDS = 86400
_METHODS = ("OPTIONS", "HEAD", "GET", "POST", "PATCH", "DELETE")
"""The methods that a page may use (pkg/service/server.go, cors.Options)."""
_VALIDATE_PATHS = ("/rtc/validate", "/rtc/v1/validate")
_WHIP_PATH = "/whip/v1"


@web.middleware
async def cors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a browser's preflight, and mark every answer as one that any page may read.

    An OPTIONS request that is no preflight goes to its handler, as one of any other method.
    """
    requested_method = request.headers.get("Access-Control-Request-Method")
    if request.method == "OPTIONS" and requested_method:
        return _preflight(request, requested_method)
    headers = _headers(request)
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(headers)
        raise
    if not response.prepared:
        response.headers.update(headers)
    return response


def _headers(request: web.Request) -> dict[str, str]:
    """Return the headers of an answer that is none to a preflight."""
    headers = {"Vary": "Origin"}
    origin = request.headers.get("Origin")
    if origin and request.method in _METHODS:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = "*"
    path = "/" + request.path.lstrip("/")
    if path in _VALIDATE_PATHS or (request.method, path) == ("OPTIONS", _WHIP_PATH):
        headers["Access-Control-Allow-Origin"] = "*"
    return headers


def _preflight(request: web.Request, method: str) -> web.Response:
    headers = {
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    origin = request.headers.get("Origin")
    if origin and method in _METHODS:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Methods"] = method
        headers["Access-Control-Max-Age"] = str(_MAX_AGE_SECONDS)
        requested = request.headers.get("Access-Control-Request-Headers")
        if requested:
            headers["Access-Control-Allow-Headers"] = requested
    return web.Response(status=204, headers=headers)
