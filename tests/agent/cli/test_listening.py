from __future__ import annotations

import socket
from collections.abc import Generator

import pytest

from agent.cli.command import WRONG_SETTINGS, CommandError
from agent.cli.listening import DEV_SECRET, Listening, free_port


@pytest.fixture
def taken() -> Generator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_on_loopback_nobody_else_comes_in() -> None:
    listening = Listening.on("127.0.0.1", 0)
    assert not listening.is_open
    assert listening.url == listening.network_url == f"ws://127.0.0.1:{listening.port}"
    assert listening.secret() == DEV_SECRET


def test_on_all_addresses_this_machine_uses_loopback_and_others_the_network() -> None:
    listening = Listening("0.0.0.0", 7880)  # noqa: S104 - bound to nothing
    assert listening.is_open
    assert listening.url == "ws://127.0.0.1:7880"
    assert not listening.network_url.startswith("ws://127.")


def test_an_address_of_version_6_is_written_in_brackets() -> None:
    assert Listening("::", 7880).url == "ws://[::1]:7880"
    assert Listening("2001:db8::5", 7880).network_url == "ws://[2001:db8::5]:7880"


def test_a_secret_for_others_is_a_fresh_one() -> None:
    secrets = {Listening("192.0.2.1", 7880).secret() for _ in range(3)}
    assert len(secrets) == 3
    assert DEV_SECRET not in secrets


def test_a_port_that_is_taken_is_refused(taken: int) -> None:
    with pytest.raises(CommandError, match=f"port {taken} is taken"):
        Listening.on("127.0.0.1", taken)


def test_without_a_port_the_default_is_used_or_another_where_that_is_taken(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = free_port("127.0.0.1")
    monkeypatch.setattr("agent.cli.listening.DEFAULT_PORT", free)
    assert Listening.on("127.0.0.1", None).port == free
    monkeypatch.setattr("agent.cli.listening.DEFAULT_PORT", taken)
    found = Listening.on("127.0.0.1", None).port
    assert found not in (taken, 0)
    assert Listening.on("127.0.0.1", found).port == found


@pytest.mark.parametrize(
    ("host", "told"),
    [("my-phone", "not an IP address"), ("", "not an IP address"), ("203.0.113.7", "")],
)
def test_an_address_that_is_not_one_of_this_machine_is_refused(host: str, told: str) -> None:
    with pytest.raises(CommandError, match=f"--host {host}: .*{told}") as refused:
        Listening.on(host, 0)
    assert refused.value.status == WRONG_SETTINGS
