"""Cleans up after tests that import modules from files of their own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from pathlib import Path

from agent.app import loading


@contextlib.contextmanager
def restored_imports(folder: Path) -> Generator[None]:
    """Forgets modules imported from a folder meanwhile, folders added to the path, and loaded apps.
    Modules of libraries stay."""
    path = list(sys.path)
    loading.load_app.cache_clear()
    try:
        yield
    finally:
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and Path(file).is_relative_to(folder):
                del sys.modules[name]
        sys.path[:] = path
        loading.load_app.cache_clear()
