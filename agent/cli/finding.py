"""Finding: one line of the report of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `advice` says what to do if it is not ok."""

    what: str
    ok: bool
    text: str
    advice: str = ""
    needed: bool = True
