"""Author labels: who said something, in text that the model or a person reads.

People choose their display names, and often their identities. `Mallory: hi\\n\\nAlice (alice)` as a
name must not make what Mallory writes look like Alice's words.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from agent.unicode_text import one_line, well_formed

MAX_NAME: Final = 256
"""Characters of a display name; the default limit of livekit-server
(max_participant_name_length)."""

_OPENING: Final = (
    "([\uff08\ufe59\ufe35\u207d\u208d\u2768\u276a\u27ee\u2e28\u2985\uff3b\ufe47\u3010\u3014"
)
_CLOSING: Final = (
    ")]\uff09\ufe5a\ufe36\u207e\u208e\u2769\u276b\u27ef\u2e29\u2986\uff3d\ufe48\u3011\u3015"
)
_COLONS: Final = ":\uff1a\ufe55\ufe13\u2236\ua789\u02d0\u02f8\u05c3\u0703\u0704"

_IN_NAMES: Final = str.maketrans(
    dict.fromkeys(_OPENING, "{") | dict.fromkeys(_CLOSING, "}") | dict.fromkeys(_COLONS, ";")
)
"""Characters with a meaning in labels and in notes (`[…]`), and their lookalikes."""

_IN_IDENTITIES: Final = frozenset(f"{_OPENING}{_CLOSING}\\")
_INDENT: Final = "  "


def display_name(name: str) -> str:
    """A display name on one line, without control and direction characters; it may be empty."""
    return one_line(name[:MAX_NAME])


def author_label(identity: str, name: str = "") -> str:
    """`name (identity)`, or the identity alone if there is no other name.

    No two identities have the same label, and none passes for the label of another. In names,
    parentheses, brackets and colons are replaced. In identities, they are escaped with a backslash,
    colons only where a label could end (`user:42` is as it was), and what cannot be seen is
    written as `\\u{200d}`.
    """
    shown = display_name(name)
    escaped = _escaped(identity)
    if not shown or shown == display_name(identity):
        return escaped
    return f"{shown.translate(_IN_NAMES)} ({escaped})"


def labelled(label: str, text: str) -> str:
    """A message behind its author's label. All lines but the first are indented: no line can pass
    for another message."""
    return f"{label}: {_INDENT.join(text.splitlines(keepends=True))}"


def _escaped(identity: str) -> str:
    following = [*well_formed(identity)[1:], " "]
    return "".join(map(_escaped_character, well_formed(identity), following))


def _escaped_character(each: str, following: str) -> str:
    if each in _IN_IDENTITIES or (each in _COLONS and not following.isalnum()):
        return f"\\{each}"
    if each != " " and unicodedata.category(each)[0] in "CZ":
        return f"\\u{{{ord(each):x}}}"
    return each
