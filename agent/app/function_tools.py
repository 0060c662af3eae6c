"""livekit-agents' function tools as tools of the toolkit, so that plain personas can use them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, get_type_hints

from livekit.agents import Agent, RunContext, llm
from livekit.agents.llm import utils

from agent.app.app_error import AppError
from toolkit.errors import InvalidArguments, OperationFailed, ToolError, Unavailable
from toolkit.tool import DEFAULT_TIMEOUT, Tool

AnyFunctionTool: TypeAlias = "llm.FunctionTool[..., Any] | llm.RawFunctionTool[..., Any]"


class FunctionToolError(OperationFailed):
    """A function tool raised livekit-agents' ToolError: a message for the model."""

    def __init__(self, message: str) -> None:
        ToolError.__init__(self, message)


@dataclass(frozen=True, slots=True)
class FunctionParameters:
    """The parameters of a function tool, as livekit-agents describes and checks them."""

    schema: Mapping[str, object]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(cast("Mapping[str, object]", self.schema.get("properties", {})))

    def json_schema(self) -> dict[str, object]:
        return dict(self.schema)

    def validate(self, arguments: Mapping[str, object]) -> dict[str, object]:
        return {"arguments": dict(arguments)}


def as_tool(function: AnyFunctionTool) -> Tool:
    """The tool that calls this function, under its own name.

    Raises:
        AppError: it takes a RunContext, which only the session of a livekit Agent has.
    """
    name, description, schema = _described(function)
    if _takes_run_context(function):
        raise AppError(
            f"the tool {name} takes a RunContext, which only the session of a livekit Agent has: "
            "write it with toolkit's @tool and ToolContext"
        )

    async def call(arguments: dict[str, Any]) -> object:
        try:
            args, kwargs = utils.prepare_function_arguments(fnc=function, json_arguments=arguments)
        except ValueError as error:
            # Not its text: pydantic's quotes the values.
            raise InvalidArguments("Invalid arguments: see the schema of the tool") from error
        try:
            result = cast("object", function(*args, **kwargs))
            if inspect.isawaitable(result):
                result = await result
        except llm.ToolError as error:
            raise FunctionToolError(error.message) from None
        except llm.StopResponse:
            return ""
        if isinstance(result, Agent):
            raise Unavailable("An agent of the app hands over by returning toolkit's Handoff")
        return "" if result is None else result

    return Tool(
        name=name,
        description=description,
        parameters=FunctionParameters(schema),
        function=call,
        timeout=DEFAULT_TIMEOUT,
    )


def _described(
    function: AnyFunctionTool,
) -> tuple[str, str, Mapping[str, object]]:
    if isinstance(function, llm.RawFunctionTool):
        raw = function.info.raw_schema
        return function.info.name, str(raw.get("description", "")), raw.get("parameters", {})
    described = utils.build_legacy_openai_schema(function, internally_tagged=True)
    return described["name"], described["description"], described["parameters"]


def _takes_run_context(function: AnyFunctionTool) -> bool:
    hints: Mapping[str, object] = get_type_hints(inspect.unwrap(function))
    return any(
        hint is RunContext or getattr(hint, "__origin__", None) is RunContext
        for hint in hints.values()
    )
