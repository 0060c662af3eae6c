from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from agent.host.readiness import LastSeen, Readiness
from agent.processes.health_page import HealthPage, listen
from agent.processes.metrics_page import MetricsPage
from agent.processes.report import Report
from agent.processes.worker_process import WorkerProcess
from agent.processes.worker_slot import WorkerSlot

READY = Readiness(connected=True, database=LastSeen.WORKING)


@pytest.fixture
def report() -> Generator[Report]:
    report = Report()
    report.registered = True
    report.rooms = 2
    yield report
    report.close()


@pytest.fixture
def slot(report: Report) -> WorkerSlot:
    return WorkerSlot(WorkerProcess(os.getpid(), report, started=0))


@pytest.fixture
def page(slot: WorkerSlot) -> Generator[HealthPage]:
    with listen(("127.0.0.1", 0)) as listener:
        metrics = MetricsPage([slot], lambda: [] if slot.process is None else [slot.process])
        yield HealthPage(listener, [slot], silence=5, metrics=metrics)


def said(page: HealthPage, *parts: bytes) -> bytes:
    """The answer to a request that arrives in these parts and then ends."""
    with socket.create_connection(("127.0.0.1", page.port)) as client:
        answering = threading.Thread(target=page.answer)
        answering.start()
        for part in parts:
            client.sendall(part)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(4096), b""))
        answering.join()
    return answer


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "localhost"])  # noqa: S104
def test_it_listens_on_addresses_of_either_family(host: str) -> None:
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with listen((host, 0)) as listener:
        address = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
        with socket.create_connection((address, listener.getsockname()[1])):
            pass


def test_a_request_may_arrive_in_parts(page: HealthPage) -> None:
    answer = said(page, b"GET / HT", b"TP/1.1\r\nHost: x\r\n", b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n1 of 1 worker processes registered\n")


def test_only_the_head_may_be_asked_for(page: HealthPage) -> None:
    answer = said(page, b"HEAD /worker HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")


def test_nothing_is_taken_in(page: HealthPage) -> None:
    assert said(page, b"POST / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 501 ")


@pytest.mark.parametrize("request_", [b"", b"GET /", b"hello\r\n\r\n"])
def test_a_malformed_request_is_not_answered(page: HealthPage, request_: bytes) -> None:
    assert said(page, request_) == b""
    assert said(page, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_a_silent_client_is_given_up(page: HealthPage) -> None:
    with socket.create_connection(("127.0.0.1", page.port)) as client:
        page.answer()
        assert client.recv(1) == b""


def shown(page: HealthPage, path: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one of the pages."""
    head, _, body = said(page, f"GET {path} HTTP/1.1\r\n\r\n".encode()).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_processes_are_ready_while_one_of_them_can_take_a_room(
    page: HealthPage, report: Report
) -> None:
    report.readiness = READY

    status, readiness = shown(page, "/readyz")

    assert (status, readiness["status"], readiness["reasons"]) == (200, "ready", [])
    [process] = readiness["processes"]
    assert process == {"pid": os.getpid(), "reasons": [], **READY.report()}


@pytest.mark.parametrize(
    ("readiness", "reasons"),
    [
        (
            Readiness(),
            ["not connected to the LiveKit server", "the database has not been opened yet"],
        ),
        (replace(READY, connected=False), ["not connected to the LiveKit server"]),
        (replace(READY, full=True), ["full: it holds AGENT_MAX_ROOMS rooms"]),
        (replace(READY, draining=True), ["draining"]),
        (replace(READY, database=LastSeen.FAILING), ["the database is unavailable"]),
        (replace(READY, model=LastSeen.FAILING), ["the model service fails"]),
        (replace(READY, model=LastSeen.WORKING), []),
    ],
)
def test_a_process_says_why_it_cannot_take_a_room(
    page: HealthPage, report: Report, readiness: Readiness, reasons: list[str]
) -> None:
    report.readiness = readiness

    status, found = shown(page, "/readyz")

    assert report.readiness == readiness
    assert status == (503 if reasons else 200)
    assert found["reasons"] == [f"process {os.getpid()}: {reason}" for reason in reasons]


def test_a_process_that_ended_leaves_the_worker_alive_but_not_ready(
    page: HealthPage, slot: WorkerSlot
) -> None:
    slot.process = None

    assert shown(page, "/healthz") == (200, {"status": "alive", "reasons": []})
    status, readiness = shown(page, "/readyz")
    assert status == 503
    assert readiness["reasons"] == ["a process: it has ended and is being restarted"]


def test_a_process_whose_loop_is_silent_is_neither_alive_nor_ready(
    page: HealthPage, slot: WorkerSlot, report: Report
) -> None:
    report.readiness = READY
    report.beat("rooms")
    assert slot.process is not None
    for second in range(8):
        slot.process.pulse.look(float(second))

    reason = f"process {os.getpid()}: its rooms loop has not run for 7 s"
    assert shown(page, "/healthz") == (503, {"status": "stuck", "reasons": [reason]})
    status, readiness = shown(page, "/readyz")
    assert (status, readiness["reasons"]) == (503, [reason])
