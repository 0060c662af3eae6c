"""Signature: a function's parameters besides its context, derived once for each function."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import cast, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.alias_generators import to_camel

from toolkit.context import ToolContext
from toolkit.parameters import TypedParameters

MAX_KEPT = 1_000
"""Definitions whose signatures are kept."""

Function = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Signature:
    """Attributes:
    parameters: the arguments on the wire.
    context_parameter: name of the parameter that takes the ToolContext, if there is one.
    """

    parameters: TypedParameters
    context_parameter: str | None


_kept: dict[CodeType, tuple[tuple[object, ...], Signature]] = {}


def signature_of(function: Function) -> Signature:
    """The signature of a function whose parameters are annotated.

    A room's own tools are functions made again for each room, of one definition: a model takes
    milliseconds and tens of kilobytes, so they share one. Annotations must be equal for that:
    names, or text (`from __future__ import annotations`). A new Field counts as different.

    Raises:
        TypeError: a parameter cannot be described.
    """
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__wrapped__"):
        return _signature(function)  # A wrapper's code says nothing about the wrapped function.
    names = ("__defaults__", "__kwdefaults__", "__annotations__")
    parts = (inspect.ismethod(function), *(getattr(function, name, None) for name in names))
    same, signature = _kept.get(code, ((), None))
    if signature is None or same != parts:
        signature = _signature(function)
        if len(_kept) >= MAX_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[code] = parts, signature
    return signature


def _signature(function: Function) -> Signature:
    name = getattr(function, "__name__", "tool")
    hints = cast("dict[str, object]", get_type_hints(function, include_extras=True))
    fields: dict[str, tuple[object, object]] = {}
    context_parameter: str | None = None
    for parameter in inspect.signature(function).parameters.values():
        annotation = hints.get(parameter.name)
        if annotation is None or parameter.kind not in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            raise TypeError(f"{name}: parameter {parameter.name} needs a name and an annotation")
        if annotation is ToolContext:
            context_parameter = parameter.name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (annotation, default)
    config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True, allow_inf_nan=False)
    # create_model's own type cannot say "these fields" for names found at run time.
    make = cast("Callable[..., type[BaseModel]]", create_model)
    model = make(to_camel(name), __config__=config, **fields)
    return Signature(TypedParameters(model), context_parameter)
