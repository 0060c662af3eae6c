"""What tests that import modules from files of their own leave behind: nothing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator

from agent.app import loading


@contextlib.contextmanager
def restored_imports() -> Generator[None]:
    """Forgets modules and folders that were added meanwhile, and the apps that were loaded."""
    modules, path = set(sys.modules), list(sys.path)
    loading.load_app.cache_clear()
    try:
        yield
    finally:
        for name in set(sys.modules) - modules:
            del sys.modules[name]
        sys.path[:] = path
        loading.load_app.cache_clear()
