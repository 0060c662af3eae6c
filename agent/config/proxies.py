"""Proxies: the proxy for each connection. Docs: docs/configuration.md#proxies."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

from yarl import URL

from agent.config.settings_error import SettingsError

_SCHEMES: Final = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_PORTS: Final = {"http": 80, "https": 443}
_PROXY_SCHEMES: Final = frozenset({"http", "https"})
_VARIABLES: Final = ("http_proxy", "https_proxy")
_PORT: Final = re.compile(r":\d+\Z")
_SCHEME: Final = re.compile(r"\A[a-z]+://")
_ADDRESSES: Final = re.compile(
    r"(\d{1,3}(?:\.\d{1,3}){0,2})\.?(?:\*\.?)*(?:/(?P<bits>\d+)|:(?P<port>\d+))?"
)
"""The beginning of an address, which matches all addresses that begin like it: `10.`, `10.*`,
`192.168.*.*`, and as macOS writes it, `169.254/16`."""

_SIMPLE: Final = "<local>"
"""Names without a dot, as Windows and Chromium call them."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies that the environment names, and the hosts that are reached directly.

    One rule for every connection: `http_proxy` for http and ws, `https_proxy` for https and wss,
    `all_proxy` where that one is not set; each also in upper case. Loopback is always direct, and
    so is what `no_proxy` excludes: a host with its subdomains (`corp.test`, `.corp.test`,
    `*.corp.test`), an address, the beginning of one (`10.*`), a network (`10.0.0.0/8`), each also
    with a port, a range of addresses (`10.0.0.1-10.0.0.9`), names without a dot (`<local>`), or
    everything (`*`). A scheme in front of a host does not count.
    """

    urls: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    excluded: tuple[_Excluded, ...] = ()

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """The proxies of an environment."""
        everything = _variable(environ, "all_proxy")
        named = {
            scheme: url
            for scheme in ("http", "https")
            if (url := _variable(environ, f"{scheme}_proxy") or everything)
        }
        urls = {
            scheme: url if "://" in url else f"http://{url.removeprefix('//')}"
            for scheme, url in named.items()
        }
        entries = re.split(r"[,;\s]+", _variable(environ, "no_proxy"))
        return cls(urls, tuple(_Excluded.of(entry) for entry in entries if entry))

    def for_url(self, url: str) -> str | None:
        """The proxy's URL, or None for a direct connection."""
        parts = urlsplit(url)
        host = _in_ascii((parts.hostname or "").rstrip(".").lower())
        scheme = _SCHEMES.get(parts.scheme, parts.scheme)
        if not host or _is_loopback(host):
            return None
        port = _port(parts) or _PORTS.get(scheme)
        if any(entry.matches(host, port) for entry in self.excluded):
            return None
        return self.urls.get(scheme)

    def check(self, urls: Iterable[str]) -> None:
        """Raises SettingsError if the proxy of one of these URLs cannot be used.

        Neither LiveKit's SDK nor aiohttp speaks SOCKS.
        """
        for url in urls:
            proxy = urlsplit(self.for_url(url) or "http://none")
            if (
                proxy.scheme not in _PROXY_SCHEMES
                or not proxy.hostname
                or not _has_good_port(proxy)
            ):
                host = urlsplit(url).hostname
                problem = (
                    f"HTTP_PROXY, HTTPS_PROXY, ALL_PROXY: expected http://host:port for {host}, "
                    f"got {proxy.scheme}://; SOCKS is not supported, and hosts that need no "
                    "proxy go into NO_PROXY"
                )
                raise SettingsError([problem])

    def settle(self, environ: MutableMapping[str, str], url: str) -> None:
        """Makes LiveKit's native SDK follow the proxy rule for this URL.

        The SDK reads HTTP_PROXY and HTTPS_PROXY itself, and knows no NO_PROXY (rust-sdks,
        livekit-net/src/native/proxy.rs). All other connections of the process are given their
        proxies, so the variables can be set to what the room server needs.
        """
        for name in _VARIABLES:
            environ.pop(name, None)
            environ.pop(name.upper(), None)
        if (proxy := self.for_url(url)) is not None:
            environ["HTTP_PROXY"] = environ["HTTPS_PROXY"] = proxy


@dataclass(frozen=True, slots=True)
class _Excluded:
    """One entry of NO_PROXY."""

    suffix: str
    networks: tuple[Network, ...] = ()
    port: int | None = None

    @classmethod
    def of(cls, entry: str) -> Self:
        entry = _SCHEME.sub("", entry.lower()).rstrip("/")
        if entry == "*":
            return cls("")
        if found := _ADDRESSES.fullmatch(entry):
            parts = found[1].split(".")
            bits = found["bits"] or 8 * len(parts)
            networks = _networks(f"{'.'.join([*parts, *'0000'][:4])}/{bits}")
            return cls(entry, networks, int(found["port"]) if found["port"] else None)
        if networks := _networks(entry) or _range(entry):
            return cls(entry, networks)
        found = _PORT.search(entry)
        port = int(found[0][1:]) if found else None
        name = _PORT.sub("", entry)
        if name == "*":
            return cls("", port=port)
        host = _in_ascii(name.removeprefix("*").lstrip(".").rstrip("."))
        # An invalid entry excludes nothing, as in curl and Go.
        return cls(host or "/", _networks(host), port)

    def matches(self, host: str, port: int | None) -> bool:
        if self.port is not None and self.port != port:
            return False
        address = _address(host)
        if self.networks:
            return address is not None and any(address in each for each in self.networks)
        if not self.suffix:
            return True
        if address is not None:
            return False
        if self.suffix == _SIMPLE:
            return "." not in host
        return host == self.suffix or host.endswith(f".{self.suffix}")


def _variable(environ: Mapping[str, str], name: str) -> str:
    """A variable, without the quotes that `docker run --env-file` keeps."""
    return (environ.get(name) or environ.get(name.upper()) or "").strip().strip("\"'").strip()


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return None


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _networks(text: str) -> tuple[Network, ...]:
    """The network or the address that a text is, if it is one."""
    try:
        # `[fd00::]/8` is one, `[fd00::1]:80` a host with its port.
        bare = text if "]:" in text else text.replace("[", "").replace("]", "")
        return (ipaddress.ip_network(bare, strict=False),)
    except ValueError:
        return ()


def _range(text: str) -> tuple[Network, ...]:
    """The networks of `10.0.0.1-10.0.0.9`, as Node.js has it."""
    first, last = (_address(each) for each in text.partition("-")[::2])
    if first is None or last is None:
        return ()
    try:
        return tuple(ipaddress.summarize_address_range(first, last))
    except (TypeError, ValueError):
        return ()


def _in_ascii(host: str) -> str:
    """A host in the form in which it is looked up: other scripts in Punycode."""
    try:
        return host if host.isascii() else URL.build(scheme="http", host=host).raw_host or host
    except ValueError:
        return host


def _address(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_loopback(host: str) -> bool:
    address = _address(host)
    if address is not None:
        return address.is_loopback or address.is_unspecified
    return host == "localhost" or host.endswith(".localhost")


DIRECT: Final = Proxies()
"""Every connection is direct."""
