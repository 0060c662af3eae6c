"""Cross-origin access, which livekit-server grants to every page: its tokens decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MAX_AGE_SECONDS = 86400
_METHODS = "OPTIONS, HEAD, GET, POST, PATCH, DELETE"


@web.middleware
async def cors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a browser's preflight, and mark every answer as one that any page may read."""
    if "Origin" not in request.headers:
        return await handler(request)
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return web.Response(status=204, headers=_preflight(request))
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(_HEADERS)
        raise
    if not response.prepared:
        response.headers.update(_HEADERS)
    return response


_HEADERS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}


def _preflight(request: web.Request) -> dict[str, str]:
    requested = request.headers.get("Access-Control-Request-Headers", "")
    return {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": requested or "*",
        "Access-Control-Max-Age": str(_MAX_AGE_SECONDS),
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }
