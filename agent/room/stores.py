"""Stores: what all rooms of a process keep things in."""

from __future__ import annotations

from dataclasses import dataclass

from agent.erasure.eraser import Eraser
from agent.files.files import Files
from agent.history.history import History


@dataclass(frozen=True, slots=True)
class Stores:
    """The messages, the files, and what erases both."""

    history: History
    files: Files
    eraser: Eraser
