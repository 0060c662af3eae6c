"""Which proxy the environment names."""

import pytest

from agent.models.proxy import proxy_for

PROXY = {"https_proxy": "http://proxy:3128", "NO_PROXY": "internal.test, .corp.test,10.0.0.1"}


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("https://api.openai.com/v1", {}, None),
        ("https://api.openai.com/v1", PROXY, "http://proxy:3128"),
        ("http://api.openai.com/v1", PROXY, None),
        ("http://host.test/v1", {"ALL_PROXY": "proxy:1"}, "http://proxy:1"),
        ("https://internal.test/v1", PROXY, None),
        ("https://a.internal.test/v1", PROXY, None),
        ("https://notinternal.test/v1", PROXY, "http://proxy:3128"),
        ("https://model.corp.test/v1", PROXY, None),
        ("https://10.0.0.1/v1", PROXY, None),
        ("https://api.openai.com/v1", {**PROXY, "no_proxy": "*"}, None),
        ("http://127.0.0.1:8080/v1", {"http_proxy": "http://proxy:3128"}, None),
        ("http://localhost:8080/v1", {"http_proxy": "http://proxy:3128"}, None),
        ("http://[::1]:8080/v1", {"http_proxy": "http://proxy:3128"}, None),
    ],
)
def test_proxy_for(url: str, environ: dict[str, str], expected: str | None) -> None:
    assert proxy_for(url, environ) == expected
