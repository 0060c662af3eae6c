"""Stores: the messages and files of a process's rooms."""

from __future__ import annotations

from dataclasses import dataclass

from agent.erasure.eraser import Eraser
from agent.files.files import Files
from agent.history.history import History


@dataclass(frozen=True, slots=True)
class Stores:
    """The message history, the file store, and the eraser of both."""

    history: History
    files: Files
    eraser: Eraser
