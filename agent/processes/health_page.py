"""HealthPage: whether all worker processes are at work, over HTTP."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, Final, Self, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

ONE_REQUEST_TAKES: Final = 1.0
"""Seconds that whoever asks may take."""


class HealthPage:
    """`/` is 200 when every place has a registered process, else 503; `/worker` says more, as
    JSON. The same paths as a worker's own (livekit/agents/worker.py).

    To be waited for like a socket; `answer` then answers one request, without a thread.
    """

    def __init__(
        self, address: tuple[str, int], report: Callable[[], list[dict[str, object]]]
    ) -> None:
        self._server = _Server(address, _Handler)
        self._server.report = report

    @property
    def port(self) -> int:
        return self._server.server_port

    def fileno(self) -> int:
        return self._server.fileno()

    def answer(self) -> None:
        """Answers the request that is there."""
        self._server.handle_request()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._server.server_close()


class _Server(HTTPServer):
    timeout = ONE_REQUEST_TAKES
    report: Callable[[], list[dict[str, object]]]

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - its own
        """Whoever asked is gone, or too slow: no concern of the workers'."""


class _Handler(BaseHTTPRequestHandler):
    timeout = ONE_REQUEST_TAKES

    def do_GET(self) -> None:
        places = cast("_Server", self.server).report()
        registered = sum(1 for place in places if place["registered"])
        if self.path == "/":
            healthy = registered == len(places)
            status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
            text = f"{registered} of {len(places)} worker processes registered\n"
            self._answer(status, "text/plain", text)
        elif self.path == "/worker":
            jobs = sum(cast("int", place["rooms"]) for place in places)
            said = json.dumps({"active_jobs": jobs, "processes": places})
            self._answer(HTTPStatus.OK, "application/json", said)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "not found\n")

    def _answer(self, status: HTTPStatus, content_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - its own
        """Health checks are not logged."""
