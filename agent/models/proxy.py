"""Which proxy the environment names for a URL, as the official clients read it."""

from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL, or None for a direct connection.

    Reads `http_proxy` or `https_proxy` by the URL's scheme, then `all_proxy`, and `no_proxy` (a
    list of host suffixes, or `*`), in lower or upper case. Loopback is always reached directly.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if not host or host in {"localhost", "::1"} or host.startswith("127."):
        return None
    for excluded in _variable(environ, "no_proxy").lower().split(","):
        suffix = excluded.strip().lstrip("*").lstrip(".")
        if excluded.strip() == "*" or (suffix and (host == suffix or host.endswith(f".{suffix}"))):
            return None
    proxy = _variable(environ, f"{parts.scheme}_proxy") or _variable(environ, "all_proxy")
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    return proxy or None


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""
