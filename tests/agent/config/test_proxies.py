"""The proxy for each connection."""

from __future__ import annotations

import pytest

from agent.config.proxies import DIRECT, Proxies
from agent.config.settings_error import SettingsError

PROXY = "http://proxy.test:3128"
BOTH = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY}


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("https://api.test/v1", {}, None),
        ("https://api.test/v1", {"https_proxy": PROXY}, PROXY),
        ("https://api.test/v1", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://api.test/v1", {"https_proxy": PROXY, "HTTPS_PROXY": "http://b"}, PROXY),
        ("https://api.test/v1", {"https_proxy": "", "HTTPS_PROXY": PROXY}, PROXY),
        ("http://api.test/v1", {"https_proxy": PROXY}, None),
        ("ws://api.test", {"http_proxy": PROXY}, PROXY),
        ("wss://api.test", {"http_proxy": PROXY}, None),
        ("wss://api.test", {"https_proxy": PROXY}, PROXY),
        ("wss://api.test", {"ALL_PROXY": "proxy.test:1"}, "http://proxy.test:1"),
        ("http://api.test", {"HTTP_PROXY": "//proxy.test:1"}, "http://proxy.test:1"),
        ("http://api.test", {"HTTP_PROXY": '"http://proxy.test:1"'}, "http://proxy.test:1"),
        ("http://api.test", {"all_proxy": PROXY, "http_proxy": "b:1"}, "http://b:1"),
        ("https://api.test", {"all_proxy": PROXY, "http_proxy": "b:1"}, PROXY),
    ],
)
def test_the_variable_is_that_of_the_urls_scheme(
    url: str, environ: dict[str, str], expected: str | None
) -> None:
    assert Proxies.of(environ).for_url(url) == expected


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9:80", "localhost", "a.localhost", "[::1]:7880", "LOCALHOST."]
)
def test_loopback_is_always_direct(host: str) -> None:
    assert Proxies.of(BOTH).for_url(f"http://{host}/") is None
    assert Proxies.of(BOTH).for_url(f"wss://{host}/") is None


@pytest.mark.parametrize(
    ("excluded", "url", "direct"),
    [
        ("corp.test", "https://corp.test", True),
        ("corp.test", "https://a.b.corp.test", True),
        ("corp.test", "https://notcorp.test", False),
        (".corp.test", "https://corp.test", True),
        ("*.corp.test", "https://a.corp.test", True),
        ("Corp.Test", "https://A.CORP.test.", True),
        ("a.test,corp.test", "https://corp.test", True),
        ("a.test  corp.test", "https://corp.test", True),
        ("*", "https://api.test", True),
        ("a.test, *", "https://api.test", True),
        ("vllm:8000", "http://vllm:8000/v1", True),
        ("vllm:8000", "http://vllm/v1", False),
        ("vllm:80", "http://vllm/v1", True),
        ("vllm:443", "wss://vllm", True),
        ("vllm", "http://vllm:8000/v1", True),
        ("10.0.0.0/8", "http://10.1.2.3:8000/v1", True),
        ("10.1.2.3/8", "http://10.9.9.9", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.0.0.0/8", "http://10.corp.test", False),
        ("10.1.2.3", "http://10.1.2.3", True),
        ("10.1.2.3:80", "http://10.1.2.3", True),
        ("10.1.2.3:81", "http://10.1.2.3", False),
        ("fd00::/8", "http://[fd00::1]:80", True),
        ("fd00::1", "http://[fd00::1]", True),
        ("[fd00::1]", "http://[fd00::1]", True),
        ("[fd00::1]:80", "http://[fd00::1]", True),
        ("[fd00::1]:80", "http://[fd00::1]:81", False),
        ("10.0.0.0/8", "http://[::ffff:10.1.2.3]", True),
        (",, ,", "http://api.test", False),
        (".", "http://api.test", False),
        ("10.0.0.0/99", "http://10.0.0.1", False),
        ("test", "http://api.test", True),
        # As Windows, Java and browsers have them.
        ("10.*", "http://10.1.2.3", True),
        ("10.", "http://10.1.2.3", True),
        ("192.168.*.*:80", "http://192.168.1.2", True),
        ("192.168.*", "http://192.169.1.2", False),
        ("10.*", "http://10.corp.test", False),
        ("http://vllm:8000/", "http://vllm:8000/v1", True),
        ("*:8000", "http://vllm:8000/v1", True),
        ("*:8000", "http://vllm/v1", False),
        ("[fd00::]/8", "http://[fd00::1]:80", True),
        ('"vllm,10.0.0.0/8"', "http://10.1.2.3", True),
        # Windows' list, which Chromium reads from no_proxy: its proxy_host_matching_rules.cc.
        ("10.*;<local>", "http://vllm:8000/v1", True),
        ("10.*;<local>", "http://10.1.2.3", True),
        ("<local>", "http://vllm.corp.test", False),
        ("<local>", "http://10.1.2.3", False),
        ("<local>", "http://[fd00::1]", False),
        # macOS: CPython's Lib/urllib/request.py, _proxy_bypass_macosx_sysconf.
        ("*.local, 169.254/16", "http://169.254.1.2", True),
        ("*.local, 169.254/16", "http://printer.local", True),
        ("169.254/16", "http://169.253.1.2", False),
        ("10.1", "http://10.1.2.3", True),
        ("10.1", "http://192.168.10.1", False),
        # Node.js: nodejs.org/api/http.html, NO_PROXY format.
        ("192.168.1.1-192.168.1.100", "http://192.168.1.100", True),
        ("192.168.1.1-192.168.1.100", "http://192.168.1.101", False),
        ("fd00::1-fd00::9", "http://[fd00::8]", True),
        ("192.168.1.9-192.168.1.1", "http://192.168.1.5", False),
        ("192.168.1.9-fd00::1", "http://192.168.1.9", False),
        ("10.0.0.1-host.test", "http://a.10.0.0.1-host.test", True),
        # Names in Punycode, as curl wants them (curl/curl#21228), or in their letters.
        ("xn--bcher-kva.test", "http://llm.bücher.test", True),
        ("bücher.test", "http://xn--bcher-kva.test", True),
        ("*.Bücher.test", "http://BÜCHER.test", True),
        ("xn--bcher-kva.test", "http://buecher.test", False),
        ("ü..ü", "http://ü..ü", True),
    ],
)
def test_excluded_hosts_are_reached_directly(excluded: str, url: str, direct: bool) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        assert (Proxies.of({**BOTH, name: excluded}).for_url(url) is None) == direct


@pytest.mark.parametrize("url", ["", "api.test", "http://", "http://h:port/", "ftp://api.test"])
def test_unsupported_urls_are_reached_directly(url: str) -> None:
    assert Proxies.of({"HTTPS_PROXY": PROXY}).for_url(url) is None


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ALL_PROXY": "socks5://u:pa55@127.0.0.1:1080"}, "got socks5://; SOCKS is not supported"),
        ({"HTTPS_PROXY": "socks4a://127.0.0.1"}, "got socks4a://"),
        ({"https_proxy": "http://"}, "expected http://host:port for api.test"),
        ({"https_proxy": "http://a:99999"}, "expected http://host:port for api.test"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_in_one_sentence(
    environ: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Proxies.of(environ).check(["http://localhost", "https://api.test/v1"])
    (problem,) = refused.value.problems
    assert said in problem
    assert "NO_PROXY" in problem
    assert "pa55" not in problem


def test_a_socks_proxy_that_nothing_uses_is_no_fault() -> None:
    socks = {"ALL_PROXY": "socks5://127.0.0.1:1080"}
    urls = ["https://api.test", "ws://room.test"]
    Proxies.of({**socks, "no_proxy": "test"}).check(urls)
    Proxies.of({**socks, **BOTH}).check(urls)
    DIRECT.check(urls)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"])
def test_the_native_sdk_connects_to_an_excluded_server_directly(name: str) -> None:
    environ = {name: PROXY, "NO_PROXY": "room.test", "OTHER": "x"}
    Proxies.of(environ).settle(environ, "wss://room.test")
    assert environ == {"NO_PROXY": "room.test", "OTHER": "x"}


def test_the_native_sdk_connects_to_others_through_their_proxy() -> None:
    environ = {"https_proxy": PROXY, "HTTP_PROXY": "http://other:1"}
    Proxies.of(environ).settle(environ, "wss://room.test")
    assert environ == {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY}


def test_a_password_is_in_no_representation() -> None:
    assert "pa55" not in repr(Proxies.of({"HTTP_PROXY": "http://u:pa55@proxy:1"}))
