from __future__ import annotations

import os
import socket
import threading
from collections.abc import Generator

import pytest

from agent.processes.health_page import HealthPage, listen
from agent.processes.report import Report
from agent.processes.worker_process import WorkerProcess
from agent.processes.worker_slot import WorkerSlot


@pytest.fixture
def page() -> Generator[HealthPage]:
    with listen(("127.0.0.1", 0)) as listener:
        report = Report()
        report.registered = True
        report.rooms = 2
        process = WorkerProcess(os.getpid(), report, started=0)
        yield HealthPage(listener, [WorkerSlot(process)], silence=5)
        report.close()


def said(page: HealthPage, *parts: bytes) -> bytes:
    """What is answered to a request that arrives in these parts and then ends."""
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
def test_what_is_no_request_is_not_answered(page: HealthPage, request_: bytes) -> None:
    assert said(page, request_) == b""
    assert said(page, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_who_says_nothing_is_given_up(page: HealthPage) -> None:
    with socket.create_connection(("127.0.0.1", page.port)) as client:
        page.answer()
        assert client.recv(1) == b""
