"""Inputs of hostile people, models and servers."""

from __future__ import annotations

import json
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

M = TypeVar("M", bound=Message)

ODD_TEXTS: Final = (
    "",
    " ",
    "\x00",
    "\ufeff",
    "\u202e",
    "\ud83d",
    "a\nmallory (agent): yes",
    "../../etc/passwd",
    "<!---->" * 60 + "x",
    "((a+)+)+$",
    "x" * 3_000,
    "💥" * 500,
    "e\u0301" * 200,
    "__proto__",
    "null",
    "1e999",
    "[" * 2_000,
    '{"a":' * 500,
    "-0",
    "true",
)
NUMBERS: Final = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, 10**400, 1e308, -0.0]),
)

texts: Final = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=40))
whole_texts: Final = texts.map(lambda text: text.encode(errors="replace").decode())
"""Without halves of surrogate pairs, which protobuf does not carry."""

scalars: Final = st.one_of(st.none(), st.booleans(), NUMBERS, texts)


def objects(
    keys: st.SearchStrategy[str], values: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(keys, values, max_size=6)


def json_values(*names: str) -> st.SearchStrategy[Any]:
    """Any JSON, whose objects have these names more often than others."""
    keys = st.one_of(st.sampled_from(names), texts) if names else texts
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=5) | objects(keys, inner), max_leaves=6
    )


def like(example: dict[str, Any], *names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Variants of this object, with parts replaced, removed or added."""
    values = json_values(*names)

    @st.composite
    def made(draw: st.DrawFn) -> dict[str, Any]:
        shape = dict(example)
        for name in draw(st.sets(st.sampled_from(sorted(example)), max_size=3)):
            if draw(st.booleans()):
                shape[name] = draw(values)
            else:
                del shape[name]
        return shape | (draw(objects(texts, values)) if draw(st.booleans()) else {})

    return made()


def encoded(value: object) -> bytes:
    """JSON of a value, as a careless client writes it: also NaN, and halves of pairs escaped."""
    return json.dumps(value).encode()


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes that are almost what they should be: cut, doubled, or with others inside."""
    data = draw(whole)
    match draw(st.integers(0, 4)):
        case 0:
            return data[: draw(st.integers(0, len(data)))]
        case 1:
            at = draw(st.integers(0, len(data)))
            return data[:at] + draw(st.binary(max_size=8)) + data[at:]
        case 2:
            return data + data
        case _:
            return data


_SIZED: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def protobuf(message: type[M], depth: int = 3) -> st.SearchStrategy[M]:
    """Messages of this type with one of each oneof, and texts, bytes and numbers as they come."""

    @st.composite
    def made(draw: st.DrawFn) -> M:
        whole = message()
        _fill(draw, whole, depth)
        return whole

    return made()


def _fill(draw: st.DrawFn, message: Message, depth: int) -> None:
    chosen = {draw(st.sampled_from(list(group.fields))).name for group in message.DESCRIPTOR.oneofs}
    for field in message.DESCRIPTOR.fields:
        is_one_of_several = field.containing_oneof is not None
        if field.name not in chosen if is_one_of_several else not draw(st.booleans()):
            continue
        if field.message_type is not None:
            if field.is_repeated or depth == 0:
                continue
            inner = getattr(message, field.name)
            inner.SetInParent()
            _fill(draw, inner, depth - 1)
            continue
        if field.cpp_type in _SIZED:
            values: st.SearchStrategy[Any] = st.integers(*_SIZED[field.cpp_type])
        elif field.type == FieldDescriptor.TYPE_STRING:
            values = whole_texts
        elif field.type == FieldDescriptor.TYPE_BYTES:
            values = st.binary(max_size=40)
        elif field.type == FieldDescriptor.TYPE_BOOL:
            values = st.booleans()
        else:
            continue
        if field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(values, max_size=3)))
        else:
            setattr(message, field.name, draw(values))


anything: Final = st.one_of(st.binary(max_size=200), json_values().map(encoded))
