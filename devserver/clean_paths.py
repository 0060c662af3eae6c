"""Paths with doubled slashes or dots: redirected to the path they mean, as by Go's ServeMux."""

from __future__ import annotations

import posixpath

from aiohttp import web


def unclean_path(request: web.Request) -> web.Response | None:
    """Return the redirect for a path that is not as it should be written, else None.

    A second slash at the beginning is passed over, as by livekit-server: it comes from a URL that
    ends in a slash.
    """
    path = request.path[1:] if request.path.startswith("//") else request.path
    clean = "/" + posixpath.normpath(path).lstrip("/")
    if path.endswith("/") and clean != "/":
        clean += "/"
    return None if clean == path else redirect(request, clean)


def redirect(request: web.Request, path: str) -> web.Response:
    """Return Go's redirect to ``path``, with the query as it is."""
    location = str(request.rel_url.with_path(path, keep_query=True))
    response = web.Response(status=307, headers={"Location": location})
    if request.method in ("GET", "HEAD"):
        response.content_type, response.charset = "text/html", "utf-8"
        response.text = f'<a href="{location}">Temporary Redirect</a>.\n\n'
    return response
