"""File names that are safe to show and to save under. They are never used as a path."""

from __future__ import annotations

import re
import unicodedata

MAX_NAME_BYTES = 200
"""Of UTF-8; file systems take 255."""

MAX_SUFFIX_BYTES = 20
NAMELESS = "file"

_FORBIDDEN = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$", re.IGNORECASE)
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_LONGEST_READ = 1_024
"""Characters. Normalizing takes quadratic time in the length of a run of combining characters."""


def safe_name(given: str) -> str:
    """The last component of a possible path, without characters that could deceive or be misread.

    It removes control and format characters (NUL, line ends, marks that change the direction of
    writing), dots and blanks at the ends, and characters that Windows does not accept in names;
    names of devices there get a `_` in front. A long name is cut before its suffix. An empty name
    becomes `file`.
    """
    name = re.split(r"[/\\]", given[-_LONGEST_READ:])[-1]
    name = unicodedata.normalize("NFC", name)
    name = "".join(each for each in name if unicodedata.category(each) not in _INVISIBLE)
    name = _FORBIDDEN.sub("_", name).strip(". \t")
    if _RESERVED.match(name):
        name = f"_{name}"
    return _shortened(name) or NAMELESS


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = (dot + suffix).encode()
    if not dot or len(ending) > MAX_SUFFIX_BYTES:
        stem, ending = name, b""
    kept = stem.encode()[: MAX_NAME_BYTES - len(ending)].decode(errors="ignore")
    return kept.rstrip(". ") + ending.decode()
