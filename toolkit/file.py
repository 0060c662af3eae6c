"""File: a tool's result that is a file."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class File:
    """A file for the caller; the call is answered with its description, not with its content.

    Attributes:
        name: the file's name, with its suffix.
        content: the content; text becomes UTF-8, a path is read.
        mime_type: detected from the content if empty.
        public: everybody in the room may have it. Files too large for packets to one person are
            sent in a way that everybody can read: see docs/files.md.
    """

    name: str
    content: bytes | str | Path = field(repr=False)
    mime_type: str = ""
    public: bool = False


SendFile = Callable[[File], Awaitable[dict[str, object]]]
"""Sends a file to the caller; returns `{"fileId", "name", "mimeType", "size", "sha256"}` as soon as
sending has begun. Raises ToolError."""
