r"""Half surrogate pairs in JSON: `\ud83d` with no second half stands for no character."""

from __future__ import annotations

import re

REPLACEMENT = rb"\ufffd"

_HIGH = rb"u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(
    rb"\\(?:"
    rb"(?P<pair>" + _HIGH + rb"\\" + _LOW + rb")"
    # The end of a chunk, when what follows may belong to the same character.
    rb"|(?P<open>(?:u[0-9a-fA-F]{0,3}|" + _HIGH + rb"(?:\\(?:u[0-9a-fA-F]{0,3})?)?)?\Z)"
    rb"|(?P<half>" + _HIGH + rb"|" + _LOW + rb")"
    rb"|[\s\S])"
)


class EscapeMender:
    """Replaces halves of surrogate pairs by U+FFFD in JSON that comes in chunks.

    It buffers at most eleven bytes. For JSON as a whole see `unicode_text.well_formed_json`.

    Strict parsers, as pydantic's, refuse a whole message for half a pair, and mcp then leaves the
    request without an answer (mcp/client/stdio.py).
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        chunk, self._held = self._held + chunk, b""
        return _ESCAPE.sub(self._replace, chunk) if b"\\" in chunk else chunk

    def end(self) -> bytes:
        """Returns the rest when no more chunks come."""
        held, self._held = self._held, b""
        return held

    def _replace(self, escape: re.Match[bytes]) -> bytes:
        if escape["open"] is not None:
            self._held = escape[0]
            return b""
        return REPLACEMENT if escape["half"] is not None else escape[0]
