"""Protobuf messages with random content: of the right form, and with values that nobody expects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from google.protobuf.message import Message

if TYPE_CHECKING:
    import random


Field: TypeAlias = Any
"""A FieldDescriptor of whichever implementation protobuf has."""

MAX_DEPTH = 4
TEXTS = (
    "",
    "a",
    "TR_unknown",
    "\0",
    "\ud7ff\U0001f600",
    "x" * 5_000,
    "v=0\r\n",
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
    '{"candidate": 5}',
    '{"candidate": "candidate:1 1 udp 1 256.0.0.1 -1 typ host"}',
    "[]",
    "-1",
)

M = TypeVar("M", bound=Message)


def random_message(kind: type[M], choice: random.Random, depth: int = 0) -> M:
    """A message of a type; of each group of alternatives it has one at most."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        group = field.containing_oneof
        if group is not None:
            if message.WhichOneof(group.name) is not None:
                continue
            wanted = choice.random() < 1 / len(group.fields)
        else:
            wanted = choice.random() < 0.6
        if wanted:
            _fill(message, field, choice, depth)
    return message


def _fill(message: Message, field: Field, choice: random.Random, depth: int) -> None:
    target: Any = getattr(message, field.name)
    if field.message_type is not None:
        if depth >= MAX_DEPTH:
            return
        if field.message_type.GetOptions().map_entry:
            _fill_map(target, field, choice, depth)
        elif field.is_repeated:
            for _ in range(choice.randrange(3)):
                target.add().CopyFrom(random_message(_type_of(target.add()), choice, depth + 1))
        else:
            target.CopyFrom(random_message(_type_of(target), choice, depth + 1))
            target.SetInParent()
    elif field.is_repeated:
        target.extend(_value(field, choice) for _ in range(choice.randrange(4)))
    else:
        setattr(message, field.name, _value(field, choice))


def _fill_map(target: Any, field: Field, choice: random.Random, depth: int) -> None:  # noqa: ANN401  a container of protobuf's
    key_field, value_field = field.message_type.fields
    for _ in range(choice.randrange(3)):
        key = _value(key_field, choice)
        if value_field.message_type is None:
            target[key] = _value(value_field, choice)
        else:
            kind = _type_of(target[key])
            target[key].CopyFrom(random_message(kind, choice, depth + 1))


def _type_of(message: Message) -> type[Message]:
    return type(message)


def _value(field: Field, choice: random.Random) -> Any:  # noqa: ANN401  of any scalar type
    if field.enum_type is not None:
        return choice.choice([value.number for value in field.enum_type.values] + [77])
    if field.type == field.TYPE_BYTES:
        return choice.randbytes(choice.randrange(40))
    values = {
        field.CPPTYPE_STRING: TEXTS,
        field.CPPTYPE_BOOL: (False, True),
        field.CPPTYPE_INT32: (0, 1, -1, 2**31 - 1, -(2**31)),
        field.CPPTYPE_INT64: (0, 1, -1, 2**63 - 1, -(2**63)),
        field.CPPTYPE_UINT32: (0, 1, 300, 2**32 - 1),
        field.CPPTYPE_UINT64: (0, 1, 2**64 - 1),
    }
    return choice.choice(values.get(field.cpp_type, (0.0, -1.0, 1e30, math.nan, math.inf)))
