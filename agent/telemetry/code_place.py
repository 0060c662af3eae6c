"""The place in an app's code where an error comes from, for the log."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path


def code_place(error: BaseException) -> str:
    """The innermost line outside of libraries, as `" (FILE, line NUMBER)"`; empty: none is."""
    frames = traceback.extract_tb(error.__traceback__)
    libraries = (str(Path(__file__).parents[1]), sys.prefix, sys.base_prefix, "<")
    own = [frame for frame in frames if not frame.filename.startswith(libraries)]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
