"""JSON patches do what RFC 6902 says, and nothing that would cost a worker its memory."""

from __future__ import annotations

from typing import Any

import pytest

from agent.state.json_patch import (
    MAX_DEPTH,
    MAX_OPERATIONS,
    DocumentTooLargeError,
    PatchError,
    TestFailedError,
    apply,
)

SIZE = 10_000


def patched(document: object, *operations: object) -> Any:  # noqa: ANN401 - any JSON
    return apply(document, operations, max_bytes=SIZE)[0]


def op(name: str, path: str, **fields: object) -> dict[str, object]:
    if "from_" in fields:
        fields["from"] = fields.pop("from_")
    return {"op": name, "path": path, **fields}


@pytest.mark.parametrize(
    ("document", "operation", "result"),
    [
        # The cases of appendix A, by their numbers there.
        ({"foo": "bar"}, op("add", "/baz", value="qux"), {"baz": "qux", "foo": "bar"}),  # 1
        ({"foo": ["a", "c"]}, op("add", "/foo/1", value="b"), {"foo": ["a", "b", "c"]}),  # 2
        ({"baz": 1, "foo": 2}, op("remove", "/baz"), {"foo": 2}),  # 3
        ({"foo": [1, 2, 3]}, op("remove", "/foo/1"), {"foo": [1, 3]}),  # 4
        ({"baz": 1, "foo": 2}, op("replace", "/baz", value=3), {"baz": 3, "foo": 2}),  # 5
        (
            {"foo": {"bar": 1, "waldo": 2}, "qux": {"corge": 3}},
            op("move", "/qux/thud", from_="/foo/waldo"),
            {"foo": {"bar": 1}, "qux": {"corge": 3, "thud": 2}},
        ),  # 6
        ({"foo": [1, 2, 3, 4]}, op("move", "/foo/3", from_="/foo/1"), {"foo": [1, 3, 4, 2]}),  # 7
        ({"baz": "qux", "foo": [1]}, op("test", "/baz", value="qux"), None),  # 8
        ({"foo": 1}, op("add", "/child", value={"a": {}}), {"foo": 1, "child": {"a": {}}}),  # 10
        ({"foo": 1}, op("add", "/baz", value=2, xyz=3), {"foo": 1, "baz": 2}),  # 11
        ({"/": 9, "~1": 10}, op("test", "/~01", value=10), None),  # 14
        ({"foo": ["bar"]}, op("add", "/foo/-", value=["a"]), {"foo": ["bar", ["a"]]}),  # 16
        # Further rules of its sections.
        ({"foo": 1}, op("add", "/foo", value=2), {"foo": 2}),
        ({"foo": 1}, op("add", "", value=[]), []),
        ({"foo": 1}, op("replace", "", value=None), None),
        ({"": 1}, op("test", "/", value=1), None),
        ({"a/b": 1}, op("remove", "/a~1b"), {}),
        ({"foo": [1]}, op("add", "/foo/1", value=2), {"foo": [1, 2]}),
        (
            {"foo": {"a": [1]}},
            op("copy", "/bar", from_="/foo"),
            {"foo": {"a": [1]}, "bar": {"a": [1]}},
        ),
        ({"foo": 1}, op("move", "/foo", from_="/foo"), {"foo": 1}),
        ({"foo": 1.0}, op("test", "/foo", value=1), None),
        ({"foo": {"b": 1, "a": 2}}, op("test", "/foo", value={"a": 2, "b": 1}), None),
        ({"foo": None}, op("test", "/foo", value=None), None),
    ],
)
def test_an_operation_does_what_it_says(
    document: object, operation: dict[str, object], result: object
) -> None:
    expected = document if operation["op"] == "test" else result
    assert patched(document, operation) == expected


@pytest.mark.parametrize(
    "operation",
    [
        op("add", "/baz/bat", value=1),  # appendix A.12
        op("add", "/foo/3", value=1),
        op("add", "/foo/01", value=1),
        op("add", "/foo/x", value=1),
        op("add", "/name/a", value=1),
        op("add", "foo", value=1),
        op("add", "/~2", value=1),
        op("add", "/baz"),
        op("remove", "/baz"),
        op("remove", "/foo/-"),
        op("remove", ""),
        op("replace", "/baz", value=1),
        op("replace", "/foo/2", value=1),
        op("move", "/foo/0/a", from_="/foo"),
        op("move", "/baz", from_="/none"),
        op("copy", "/baz", from_="/none"),
        op("copy", "/baz"),
        op("test", "/none", value=1),
        op("merge", "/foo", value=1),
        op("add", "/baz", value=float("nan")),
        op("add", "/baz", value=object()),
        op("add", "/baz", value="\ud800"),
        {"op": "add", "value": 1},
        {"path": "/foo", "value": 1},
        "add",
        None,
    ],
)
def test_a_patch_that_cannot_be_applied_changes_nothing(operation: object) -> None:
    document = {"foo": [1, 2], "name": "x"}
    with pytest.raises(PatchError, match="operation 1: "):
        patched(document, op("replace", "/foo/0", value=9), operation)
    assert document == {"foo": [1, 2], "name": "x"}


@pytest.mark.parametrize(
    ("document", "value"),
    [("bar", "baz"), (10, "10"), (1, True), (0, False), ([1], [1, 2]), ({"a": 1}, {"b": 1})],
)
def test_a_failed_test_operation_has_an_error_of_its_own(document: object, value: object) -> None:
    with pytest.raises(TestFailedError):
        patched({"foo": document}, op("test", "/foo", value=value))


def test_a_value_of_the_patch_is_copied() -> None:
    value = {"list": [1]}
    document = patched({}, op("add", "/a", value=value), op("copy", "/b", from_="/a"))
    value["list"].append(2)
    document["b"]["list"].append(3)
    assert document == {"a": {"list": [1]}, "b": {"list": [1, 3]}}


def test_documents_have_a_bound() -> None:
    with pytest.raises(DocumentTooLargeError):
        patched({}, op("add", "/a", value="x" * SIZE))
    doubling = [op("copy", f"/{number}", from_="") for number in range(MAX_OPERATIONS - 1)]
    with pytest.raises(DocumentTooLargeError):
        patched({}, op("add", "/a", value="x" * 100), *doubling)
    with pytest.raises(PatchError, match="operations"):
        patched({}, *[op("add", "/a", value=1)] * (MAX_OPERATIONS + 1))


def test_documents_are_not_nested_without_end() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert patched({}, op("add", "/a", value=deep))["a"] == deep
    with pytest.raises(PatchError, match="levels deep"):
        patched({}, op("add", "/a", value=[deep]))
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(PatchError, match="JSON form"):
        patched({}, op("add", "/a", value=deep))
