"""JSON patches: lists of operations that change a JSON document (RFC 6902)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from agent.state.json_pointer import PointerError, index_in, parse, value_at

MAX_OPERATIONS: Final = 256
"""Of one patch."""

MAX_DEPTH: Final = 64
"""Levels of arrays and objects in a document."""


class PatchError(ValueError):
    """A patch cannot be applied; the message says which operation, and why, and quotes no value."""


class TestFailedError(PatchError):
    """A `test` operation found another value."""

    __test__ = False  # no test class for pytest


class DocumentTooLargeError(PatchError):
    """The document would have more bytes than it may."""


def apply(document: object, patch: Sequence[object], *, max_bytes: int) -> tuple[Any, str]:
    """The document with all operations of a patch applied, and its JSON; the given one stays as it
    is. All operations are applied, or none.

    Raises:
        PatchError: an operation is malformed, or points to nothing.
        TestFailedError: see there.
        DocumentTooLargeError: it would have more than `max_bytes` of JSON.
    """
    if len(patch) > MAX_OPERATIONS:
        raise PatchError(f"a patch may have {MAX_OPERATIONS} operations")
    changing = _Changing(_copy(document), max_bytes)
    for number, operation in enumerate(patch):
        try:
            changing.apply(operation)
        except PointerError as error:
            raise PatchError(f"operation {number}: {error}") from None
        except PatchError as error:
            raise type(error)(f"operation {number}: {error}") from None
    check_depth(changing.document)
    text = to_json(changing.document)
    if len(text.encode()) > max_bytes:
        raise _too_large(max_bytes)
    return changing.document, text


def to_json(value: object) -> str:
    """Compact JSON. Raises PatchError for a value without one."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError):
        raise PatchError("a value has no JSON form") from None
    return text


def check_depth(value: object, left: int = MAX_DEPTH) -> None:
    """Raises PatchError where a document is nested too deeply."""
    if not isinstance(value, dict | list):
        return
    if not left:
        raise PatchError(f"a document may be nested {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        inner = list(cast("dict[str, object]", value).values())
    else:
        inner = cast("list[object]", value)
    for each in inner:
        check_depth(each, left - 1)


class _Changing:
    """A document that operations are applied to, in place."""

    def __init__(self, document: Any, max_bytes: int) -> None:  # noqa: ANN401 - any JSON
        self.document = document
        self._max_bytes = max_bytes
        self._copied = 0

    def apply(self, operation: object) -> None:
        if not isinstance(operation, Mapping):
            raise PatchError("expected an object")
        fields = cast("Mapping[str, object]", operation)
        path = _path(fields, "path")
        match fields.get("op"):
            case "add":
                self._add(path, _copy(_value(fields)))
            case "remove":
                self._remove(path)
            case "replace":
                value = _copy(_value(fields))
                if path:
                    self._remove(path)
                self._add(path, value)
            case "move":
                source = _path(fields, "from")
                if len(source) < len(path) and path[: len(source)] == source:
                    raise PatchError("a value cannot be moved into itself")
                value = value_at(self.document, source)
                if source != path:
                    self._remove(source)
                    self._add(path, value)
            case "copy":
                self._add(path, self._copied_from(_path(fields, "from")))
            case "test":
                if not _equal(value_at(self.document, path), _value(fields)):
                    raise TestFailedError("the test failed")
            case _:
                raise PatchError("op: expected add, remove, replace, move, copy or test")

    def _add(self, path: list[str], value: object) -> None:
        if not path:
            self.document = value
            return
        target: Any = value_at(self.document, path[:-1])
        if isinstance(target, list):
            array = cast("list[object]", target)
            array.insert(index_in(array, path[-1], inserting=True), value)
        elif isinstance(target, dict):
            target[path[-1]] = value
        else:
            raise PointerError("the path does not exist")

    def _remove(self, path: list[str]) -> None:
        value_at(self.document, path)
        if not path:
            raise PatchError("the document itself cannot be removed")
        target: Any = value_at(self.document, path[:-1])
        if isinstance(target, list):
            array = cast("list[object]", target)
            del array[index_in(array, path[-1])]
        else:
            del target[path[-1]]

    def _copied_from(self, source: list[str]) -> object:
        """A few copies of copies would fill the memory before the size of all is looked at."""
        text = to_json(value_at(self.document, source))
        self._copied += len(text)
        if self._copied > self._max_bytes:
            raise _too_large(self._max_bytes)
        return json.loads(text)


def _path(fields: Mapping[str, object], name: str) -> list[str]:
    path = fields.get(name)
    if not isinstance(path, str):
        raise PatchError(f"{name}: expected a path as text")
    return parse(path)


def _value(fields: Mapping[str, object]) -> object:
    if "value" not in fields:
        raise PatchError("value: required")
    return fields["value"]


def _copy(value: object) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(to_json(value))


def _too_large(max_bytes: int) -> DocumentTooLargeError:
    return DocumentTooLargeError(f"the document may have {max_bytes} bytes")


def _equal(one: object, other: object) -> bool:
    """Whether two JSON values are the same: unlike in Python, 1 is no true, and 1.0 is 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        ours, theirs = cast("dict[str, object]", one), cast("dict[str, object]", other)
        return ours.keys() == theirs.keys() and all(
            _equal(value, theirs[name]) for name, value in ours.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        pairs = (cast("list[object]", one), cast("list[object]", other))
        return len(pairs[0]) == len(pairs[1]) and all(map(_equal, *pairs))
    return one == other
