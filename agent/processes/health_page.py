"""HealthPage: whether all worker processes are at work, over HTTP."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

ONE_REQUEST_TAKES: Final = 1.0
"""Seconds that whoever asks may take."""

MAX_REQUEST: Final = 2**16
"""Bytes; the rest is not read."""

_WAITING: Final = 16
"""Connections that wait to be answered."""


def listen(address: tuple[str, int]) -> socket.socket:
    """A socket for a health page; raises OSError if the port is taken."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_WAITING)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


class HealthPage:
    """`/` is 200 when every place has a registered process, else 503; `/worker` says more, as
    JSON. The same paths as a worker's own (livekit/agents/worker.py).

    To be waited for like a socket; `answer` then answers one request, without a thread. It is this
    short because `http.server` needs as much memory as all else of a supervisor.
    """

    def __init__(
        self, listener: socket.socket, report: Callable[[], list[dict[str, object]]]
    ) -> None:
        self._listener = listener
        self._report = report

    @property
    def port(self) -> int:
        return cast("int", self._listener.getsockname()[1])

    def fileno(self) -> int:
        return self._listener.fileno()

    def answer(self) -> None:
        """Answers the request that is there."""
        # Whoever asked may be gone, or too slow: no concern of the workers'.
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                request = _read(connection)
                if request is not None:
                    connection.sendall(_response(*self._answer(request), request[0]))

    def _answer(self, request: tuple[str, str]) -> tuple[HTTPStatus, str, str]:
        """Status, type and text of an answer."""
        method, path = request
        if method not in {"GET", "HEAD"}:
            return HTTPStatus.NOT_IMPLEMENTED, "text/plain", "only GET and HEAD\n"
        places = self._report()
        registered = sum(1 for place in places if place["registered"])
        if path == "/":
            healthy = registered == len(places)
            status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
            text = f"{registered} of {len(places)} worker processes registered\n"
            return status, "text/plain", text
        if path == "/worker":
            jobs = sum(cast("int", place["rooms"]) for place in places)
            said = json.dumps({"active_jobs": jobs, "processes": places})
            return HTTPStatus.OK, "application/json", said
        return HTTPStatus.NOT_FOUND, "text/plain", "not found\n"


def _read(connection: socket.socket) -> tuple[str, str] | None:
    """Method and path; None if this is no request."""
    until = time.monotonic() + ONE_REQUEST_TAKES
    read = b""
    while b"\r\n\r\n" not in read and len(read) < MAX_REQUEST:
        connection.settimeout(max(0.001, until - time.monotonic()))
        part = connection.recv(MAX_REQUEST)
        if not part:
            return None
        read += part
    words = read.partition(b"\r\n")[0].decode("latin-1").split(" ")
    return (words[0], words[1]) if len(words) == 3 else None


def _response(status: HTTPStatus, content_type: str, text: str, method: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else body)
