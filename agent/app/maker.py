"""Functions of an app that make a model or a speech service: checked when the app is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from agent.app.app_error import AppError


def check_maker(where: str, given: Callable[..., Any], known: Sequence[str] = ()) -> None:
    """Raises AppError unless a function can be called with the `known` parameters or fewer, and
    makes what it makes at once."""
    if inspect.iscoroutinefunction(given) or inspect.isasyncgenfunction(given):
        raise AppError(f"App: {where} is an async function, expected one that makes it at once")
    try:
        parameters = inspect.signature(given).parameters.values()
    except (TypeError, ValueError) as error:
        raise AppError(f"App: {where} cannot be called: {error}") from error
    unknown = [
        each.name
        for each in parameters
        if each.default is each.empty
        and each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
        and (each.name not in known or each.kind is each.POSITIONAL_ONLY)
    ]
    if unknown:
        expected = f"{' and '.join(known)} or less" if known else "no parameters"
        raise AppError(f"App: {where} needs {', '.join(unknown)}, expected {expected}")
