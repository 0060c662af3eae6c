"""Cleans up after tests that import modules from files of their own."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from agent.app import loading

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextlib.contextmanager
def restored_imports(folder: Path) -> Generator[None]:
    """Forgets modules imported from a folder meanwhile, folders added to the path, and loaded apps.
    Modules of libraries stay."""
    path = list(sys.path)
    loading.load_app.cache_clear()
    try:
        yield
    finally:
        # Not by Path: there are thousands of modules.
        within = f"{folder}{os.sep}"
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(within):
                del sys.modules[name]
        sys.path[:] = path
        loading.load_app.cache_clear()
