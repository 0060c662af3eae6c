"""Packages that livekit-agents imports, but that a worker without voice never uses.

An import binds only their names; they run on first access. The standard library's
LazyLoader does not help: it runs a package as soon as one of its submodules is imported.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGES: Final = (
    # Names of types in their modules: 370 modules for requests that nobody makes.
    "openai.types",
    "openai.types.responses",
    # FFmpeg, for sound that comes encoded.
    "av",
    "av.container",
    # The same storages and strategies once more, for asyncio.
    "limits.aio",
)
"""Packages whose import has no side effects that others rely on."""


def install() -> None:
    """Defers the import of these packages, in this process and its forks; call it before they are
    imported; it has no effect after."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


_lock: Final = RLock()
_under_way: Final[set[str]] = set()


class DeferredPackage(ModuleType):
    """A package that has not run yet."""

    def __getattr__(self, name: str) -> object:
        # Python itself asks modules for these optional names.
        if not name.startswith("__") or name == "__all__":
            _run(self)
        return ModuleType.__getattribute__(self, name)


def _run(package: DeferredPackage) -> None:
    """Runs the package once. Other threads that need it wait, and modules that it imports see it
    unfinished, as in any circular import."""
    with _lock:
        spec = package.__spec__
        if spec is None or spec.loader is None or spec.name in _under_way:
            return
        if type(package) is DeferredPackage:
            _under_way.add(spec.name)
            try:
                spec.loader.exec_module(package)
            finally:
                _under_way.discard(spec.name)
            _set_class(package, ModuleType)


def _set_class(module: ModuleType, cls: type[ModuleType]) -> None:
    module.__class__ = cls


class _DeferringLoader(Loader):
    """Stands in for a loader until its module is there."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        _set_class(module, DeferredPackage)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in PACKAGES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _DeferringLoader(spec.loader)
        return spec
