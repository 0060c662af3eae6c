"""The address on which the room server of `dev` listens: loopback, or one that others can reach."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass
from typing import Final

from agent.cli.command import WRONG_SETTINGS, CommandError

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7880

DEV_SECRET: Final = "secret" * 6
"""No secret: for a server on loopback. As long as the signature wants it, unlike the one that
`livekit-server --dev` has by itself."""

_SOMEWHERE_ELSE: Final = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses for documentation: a route to them leads out of the machine."""


@dataclass(frozen=True, slots=True)
class Listening:
    """An address and a port that were free a moment ago."""

    host: str
    port: int

    @classmethod
    def on(cls, host: str, port: int | None) -> Listening:
        """Returns where to listen on `host`.

        Args:
            host: an IP address of this machine; `0.0.0.0` and `::` mean all of them.
            port: None for 7880, or any other where that is taken.

        Raises:
            CommandError: there is no such address here, or the port is taken.
        """
        _check(host)
        if port is None:
            return cls(host, DEFAULT_PORT if _is_free(host, DEFAULT_PORT) else free_port(host))
        if not _is_free(host, port):
            raise CommandError(
                f"port {port} is taken: choose another --port, or 0 for any that is free; "
                "`python -m agent doctor` says whether a room server runs"
            )
        return cls(host, port or free_port(host))

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach it."""
        return not ipaddress.ip_address(self.host).is_loopback

    @property
    def own_host(self) -> str:
        """The address by which this machine reaches it."""
        address = ipaddress.ip_address(self.host)
        if not address.is_unspecified:
            return self.host
        return LOOPBACK if address.version == 4 else "::1"

    @property
    def url(self) -> str:
        """The `ws://` address for clients on this machine."""
        return f"ws://{_authority(self.own_host, self.port)}"

    @property
    def network_url(self) -> str:
        """The `ws://` address for clients on other machines; empty if no network is connected."""
        if not ipaddress.ip_address(self.host).is_unspecified:
            return self.url
        host = _address_on_network(self.host)
        return f"ws://{_authority(host, self.port)}" if host else ""

    def secret(self) -> str:
        """Returns an API secret: one that everybody knows for loopback, else a fresh one."""
        return secrets.token_urlsafe(32) if self.is_open else DEV_SECRET


def free_port(host: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(_family(host), kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _check(host: str) -> None:
    try:
        free_port(host)
    except ValueError:
        raise CommandError(f"--host {host}: not an IP address", WRONG_SETTINGS) from None
    except OSError as error:
        raise CommandError(f"--host {host}: {error.strerror}", WRONG_SETTINGS) from None


def _is_free(host: str, port: int) -> bool:
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _family(host: str) -> socket.AddressFamily:
    is_v4 = ipaddress.ip_address(host).version == 4
    return socket.AF_INET if is_v4 else socket.AF_INET6


def _address_on_network(host: str) -> str:
    """Returns the address from which this machine's packets leave, without sending one."""
    family = _family(host)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_SOMEWHERE_ELSE[family], 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
