"""Finding: one line of what `doctor` reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `advice` says what to do about it where it is not ok."""

    what: str
    ok: bool
    text: str
    advice: str = ""
    needed: bool = True
