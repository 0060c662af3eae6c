"""HealthPage: reports over HTTP whether all worker processes work."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from agent.telemetry.metric_totals import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.processes.metrics_page import MetricsPage
    from agent.processes.worker_slot import WorkerSlot

ONE_REQUEST_TAKES: Final = 1.0
"""Seconds that a client has to send its request and read the answer."""

MAX_REQUEST: Final = 2**16
"""Bytes of a request that are read."""

_WAITING: Final = 16
"""Connections that may wait for an answer."""


def listen(address: tuple[str, int]) -> socket.socket:
    """A socket for a health page; raises OSError if the port is taken or the address is wrong."""
    family, kind, protocol, _, found = socket.getaddrinfo(
        *address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(found)
        listener.listen(_WAITING)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


class HealthPage:
    """Answers for all worker processes on the paths that a worker's own page has
    (agent/host/worker_server.py).

    - `/` is 200 while every slot has a process that is registered and responds, else 503.
    - `/healthz` is 503 while a process is stuck. One that has ended is none of these: it is
      replaced.
    - `/readyz` is 200 while at least one process can take a room.
    - `/metrics` has the metrics of all processes, for Prometheus.
    - `/worker` has counts of rooms and the memory of each process.

    Wait for it like for a socket; `answer` then answers one request, without a thread. It does not
    use `http.server`, which needs as much memory as the rest of a supervisor.
    """

    def __init__(
        self,
        listener: socket.socket,
        slots: Sequence[WorkerSlot],
        silence: float,
        metrics: MetricsPage,
    ) -> None:
        """
        Args:
            listener: from `listen`.
            slots: the slots of the worker processes.
            silence: seconds without a heartbeat from which on a process is reported as stuck.
        """
        self._listener = listener
        self._slots = slots
        self._silence = silence
        self._metrics = metrics

    @property
    def port(self) -> int:
        return cast("int", self._listener.getsockname()[1])

    def fileno(self) -> int:
        return self._listener.fileno()

    def answer(self) -> None:
        """Answers one request that has arrived."""
        # A client that has left, or is too slow, does not affect the workers.
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
        pages = {
            "/": self._summary,
            "/healthz": self._health,
            "/readyz": self._readiness,
            "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE, self._metrics.text()),
            "/worker": self._counts,
        }
        page = pages.get(path.partition("?")[0])
        return (HTTPStatus.NOT_FOUND, "text/plain", "not found\n") if page is None else page()

    def _health(self) -> tuple[HTTPStatus, str, str]:
        stuck = self._stuck()
        return _json({"status": "stuck" if stuck else "alive", "reasons": stuck}, ok=not stuck)

    def _counts(self) -> tuple[HTTPStatus, str, str]:
        reports = [slot.report() for slot in self._slots]
        jobs = sum(report["rooms"] for report in reports)
        return _json({"active_jobs": jobs, "processes": reports}, ok=True)

    def _summary(self) -> tuple[HTTPStatus, str, str]:
        processes = [slot.process for slot in self._slots if slot.process]
        registered = sum(1 for process in processes if process.registered)
        stuck = self._stuck()
        healthy = registered == len(self._slots) and not stuck
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        count = f"{registered} of {len(self._slots)} worker processes registered"
        return status, "text/plain", "; ".join([count, *stuck]) + "\n"

    def _stuck(self) -> list[str]:
        processes = [slot.process for slot in self._slots if slot.process]
        return [
            f"process {process.pid}: {silence}"
            for process in processes
            if (silence := process.pulse.described(self._silence))
        ]

    def _readiness(self) -> tuple[HTTPStatus, str, str]:
        processes = [slot.readiness(self._silence) for slot in self._slots]
        ready = any(not process["reasons"] for process in processes)
        reasons = [
            f"{_name(process['pid'])}: {reason}"
            for process in processes
            for reason in process["reasons"]
        ]
        status = "ready" if ready else "not ready"
        return _json({"status": status, "reasons": reasons, "processes": processes}, ok=ready)


def _name(pid: int | None) -> str:
    return "a process" if pid is None else f"process {pid}"


def _json(said: object, *, ok: bool) -> tuple[HTTPStatus, str, str]:
    status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", json.dumps(said)


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
