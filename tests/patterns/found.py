"""The regular expressions of the project, found in its source."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.patterns.backtracking import Use

ROOT: Final = Path(__file__).parent.parent.parent
PACKAGES: Final = ("agent", "toolkit", "tools", "devserver", "bench")

_USES: Final[dict[str, Use]] = {
    "match": "match",
    "fullmatch": "match",
    "search": "search",
    "split": "all",
    "sub": "all",
    "subn": "all",
    "findall": "all",
    "finditer": "all",
}


class NotFoundError(Exception):
    """A pattern that the source does not show: made of a name or inside a function."""


@dataclass(frozen=True)
class FoundPattern:
    """A pattern, where it is, and the ways in which that file uses it."""

    place: str
    pattern: re.Pattern[str]
    uses: frozenset[Use]


def sources() -> list[Path]:
    """The source files of the project."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def patterns_in(path: Path, source: str | None = None) -> Iterator[FoundPattern]:
    """The patterns of a file.

    Raises:
        NotFoundError: it has one that cannot be found.
    """
    text = path.read_text() if source is None else source
    if "re." not in text:
        return  # Most files; reading their syntax takes seconds of each collection.
    module = ast.parse(text)
    named = {id(call): name for name, call in _named_patterns(module)}
    for call in (each for each in ast.walk(module) if isinstance(each, ast.Call)):
        function = _function_of_re(call)
        place = f"{path.relative_to(ROOT)}:{call.lineno}"
        if function == "compile" and id(call) in named:
            name = named[id(call)]
            yield FoundPattern(place, _imported(path, name), _uses_of(module, name))
        elif function in _USES:
            literal = call.args[0]
            if not (isinstance(literal, ast.Constant) and isinstance(literal.value, str)):
                raise NotFoundError(place)
            yield FoundPattern(place, re.compile(literal.value), frozenset({_USES[function]}))
        elif function is not None and function != "escape":
            raise NotFoundError(place)


def imports_re_by_another_name(path: Path) -> bool:
    """Whether patterns of this file could be missed."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in {"re", "regex"}:
            return True
        if isinstance(node, ast.Import) and any(
            alias.name == "regex" or (alias.name == "re" and alias.asname) for alias in node.names
        ):
            return True
    return False


def _named_patterns(module: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for statement in module.body:
        if isinstance(statement, ast.AnnAssign):
            target, value = statement.target, statement.value
        elif isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
        else:
            continue
        if isinstance(target, ast.Name) and isinstance(value, ast.Call):
            yield target.id, value


def _function_of_re(call: ast.Call) -> str | None:
    function = call.func
    if (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
    ):
        return function.attr
    return None


def _imported(path: Path, name: str) -> re.Pattern[str]:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return getattr(importlib.import_module(module.removesuffix(".__init__")), name)


def _uses_of(module: ast.Module, name: str) -> frozenset[Use]:
    """Those in the file; all there are, where it uses the name in a way that is not a call."""
    names = [each for each in ast.walk(module) if isinstance(each, ast.Name) and each.id == name]
    methods = [
        node.attr
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    ]
    if len(names) - 1 != len(methods):
        return frozenset({"match", "search", "all"})
    return frozenset(_USES[method] for method in methods)
