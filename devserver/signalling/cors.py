"""Cross-origin access, which livekit-server grants to every page: its tokens decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MAX_AGE_SECONDS = 86400
_VALIDATE_PATHS = ("/rtc/validate", "/rtc/v1/validate")


@web.middleware
async def cors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a browser's preflight, and mark every answer as one that any page may read."""
    origin = request.headers.get("Origin")
    if request.path in _VALIDATE_PATHS:
        origin = "*"
    if origin is None:
        return await handler(request)
    method = request.headers.get("Access-Control-Request-Method")
    if request.method == "OPTIONS" and method is not None:
        return _preflight(request, origin, method)
    headers = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "*"}
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(headers)
        raise
    if not response.prepared:
        response.headers.update(headers)
    return response


def _preflight(request: web.Request, origin: str, method: str) -> web.Response:
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": method,
        "Access-Control-Max-Age": str(_MAX_AGE_SECONDS),
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    requested = request.headers.get("Access-Control-Request-Headers")
    if requested:
        headers["Access-Control-Allow-Headers"] = requested
    return web.Response(status=204, headers=headers)
