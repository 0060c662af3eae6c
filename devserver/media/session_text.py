"""The parts of session descriptions that aiortc neither reads nor writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SECTIONS = re.compile(r"^(?=m=)", re.MULTILINE)
_MID = re.compile(r"^a=mid:(\S+)", re.MULTILINE)
_LAYERS = re.compile(r"^a=simulcast:send (\S+)", re.MULTILINE)
_LONG_EXTENSIONS = "a=extmap-allow-mixed\r\n"


def offered_layers(sdp: str) -> dict[str, list[str]]:
    """Return the simulcast layers (RIDs) that a client offers to send, by media section."""
    layers: dict[str, list[str]] = {}
    for section in _SECTIONS.split(sdp)[1:]:
        mid, offered = _MID.search(section), _LAYERS.search(section)
        if mid and offered:
            rids = [rid.split(",")[0].removeprefix("~") for rid in offered[1].split(";")]
            layers[mid[1]] = rids
    return layers


def with_long_extensions(sdp: str) -> str:
    """Permit header extensions of more than 16 bytes, as the structure of AV1 streams has."""
    head, *sections = _SECTIONS.split(sdp)
    return "".join([head, _LONG_EXTENSIONS, *sections])


def with_layers(sdp: str, layers: Mapping[str, Sequence[str]]) -> str:
    """Take the simulcast ``layers`` in the answer ``sdp``; a client sends one layer otherwise."""
    head, *sections = _SECTIONS.split(sdp)
    for index, section in enumerate(sections):
        mid = _MID.search(section)
        rids = layers.get(mid[1], ()) if mid else ()
        if rids:
            lines = [f"a=rid:{rid} recv" for rid in rids] + [f"a=simulcast:recv {';'.join(rids)}"]
            sections[index] = section + "".join(f"{line}\r\n" for line in lines)
    return "".join([head, *sections])
