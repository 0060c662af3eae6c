"""The functions of an app that make headers for MCP servers, checked when the app is made."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from agent.app.app_error import AppError

HeaderMaker: TypeAlias = Callable[..., Mapping[str, str] | Awaitable[Mapping[str, str]]]
"""Headers for requests to a server. One with a parameter `caller` is called for each tool call,
with its Caller, or with None for the list of tools."""

_CALLER: Final = "caller"


def check_header_makers(makers: Mapping[str, HeaderMaker]) -> None:
    """Raises AppError unless each can be called so."""
    for name, make in makers.items():
        where = f"mcp_headers[{name!r}]"
        if not callable(make):
            raise AppError(
                f"App: {where} is a {type(make).__name__}, expected a function that returns headers"
            )
        try:
            parameters = inspect.signature(make).parameters.values()
        except (TypeError, ValueError) as error:
            raise AppError(f"App: {where} cannot be called: {error}") from error
        for each in parameters:
            is_given = each.name == _CALLER and each.kind is not each.POSITIONAL_ONLY
            if each.default is each.empty and not is_given and "VAR_" not in each.kind.name:
                raise AppError(f"App: {where} needs {each.name}, expected {_CALLER} or nothing")
