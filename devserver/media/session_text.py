"""Session descriptions of the server state more than aiortc writes."""

from __future__ import annotations

import re

_SECTIONS = re.compile(r"^(?=m=)", re.MULTILINE)
_LONG_EXTENSIONS = "a=extmap-allow-mixed\r\n"


def with_long_extensions(sdp: str) -> str:
    """Permit header extensions of more than 16 bytes, as the structure of AV1 streams has."""
    head, *sections = _SECTIONS.split(sdp)
    return "".join([head, _LONG_EXTENSIONS, *sections])
