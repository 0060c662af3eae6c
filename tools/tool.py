"""`@tool`: a typed function becomes something that a model, an RPC caller and a shell can call."""

import asyncio
import inspect
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, get_type_hints, overload

import pydantic_core
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema

from tools.context import ToolContext
from tools.errors import InvalidArguments, OperationFailed, TimedOut, ToolError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUT = 10.0
"""Seconds that a tool may take unless it says otherwise."""

MAX_REPORTED_FIELDS = 20
MAX_FIELD_NAME = 64

Function = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with a name, a description and a model of its parameters.

    Attributes:
        name: camelCase name on the wire.
        description: what it does, for the model and for people: the function's docstring.
        parameters: the arguments as a pydantic model; wire names are camelCase aliases.
        function: the function itself, async or not.
        timeout: seconds that a call may take.
        text_argument: wire name of the argument that a payload of bare text is, if any.
    """

    name: str
    description: str
    parameters: type[BaseModel]
    function: Function
    timeout: float = DEFAULT_TIMEOUT
    text_argument: str | None = None
    context_parameter: str | None = None

    def json_schema(self) -> dict[str, object]:
        """JSON schema of the arguments, as OpenAI function tools and form builders take it."""
        schema = self.parameters.model_json_schema(schema_generator=_UntitledJsonSchema)
        del schema["title"]
        return schema

    def parse_payload(self, payload: str) -> Mapping[str, object]:
        """Arguments out of an RPC payload or a shell word: a JSON object, or nothing for none.

        For a tool with a text argument, any other payload is that argument's text (a JSON string
        is the text that it stands for).

        Raises:
            InvalidArguments: the payload is neither.
        """
        if not payload.strip():
            return {}
        try:
            # Not json.loads: it takes NaN, and deep nesting makes it raise RecursionError.
            value = cast("object", pydantic_core.from_json(payload, allow_inf_nan=False))
        except ValueError as error:
            if self.text_argument is None:
                raise InvalidArguments(f"The payload is not valid JSON: {error}") from None
            return {self.text_argument: payload}
        if isinstance(value, dict):
            return cast("dict[str, object]", value)
        if self.text_argument is not None:
            return {self.text_argument: value if isinstance(value, str) else payload}
        raise InvalidArguments("The payload must be a JSON object")

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """The one way in: validates the arguments, runs the function, returns wire text.

        Text comes back as it is, anything else as compact JSON. A call that was given up leaves a
        function that is not async running in its thread until it returns by itself.

        Raises:
            ToolError: the only errors that leave it, besides cancellation. Anything unforeseen is
                logged here and becomes OperationFailed.
        """
        values = self._validate(arguments)
        if self.context_parameter is not None:
            values[self.context_parameter] = context
        deadline = asyncio.timeout(self.timeout)
        try:
            async with deadline:
                result = await self._run(values)
            return result if isinstance(result, str) else _to_wire(result)
        except ToolError as error:
            if error.__cause__ is not None:
                logger.warning("%s failed: %s: %r", self.name, error, error.__cause__)
            raise
        except Exception as error:
            if deadline.expired() and isinstance(error, TimeoutError):
                raise TimedOut(f"{self.name} took longer than {self.timeout:g} s") from error
            # The boundary between tools and those who call them: whatever happens inside one
            # ends here, in the log.
            logger.exception("%s failed", self.name)
            raise OperationFailed from error

    async def _run(self, values: dict[str, object]) -> object:
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**values)
        return await asyncio.to_thread(self.function, **values)

    def _validate(self, arguments: Mapping[str, object]) -> dict[str, object]:
        try:
            # By way of JSON: strict, but a date or an enum can still be written as text.
            payload = pydantic_core.to_json(dict(arguments))
            model = self.parameters.model_validate_json(payload, strict=True)
        except ValidationError as error:
            fields = _explain(error.errors(include_url=False, include_input=False))
            raise InvalidArguments.of(fields) from None
        except (pydantic_core.PydanticSerializationError, UnicodeEncodeError) as error:
            raise InvalidArguments("The arguments cannot be written as JSON") from error
        return {name: cast("object", getattr(model, name)) for name in self.parameters.model_fields}


@overload
def tool(function: Function, /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    text_argument: str | None = None,
) -> Callable[[Function], Tool]: ...


def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    text_argument: str | None = None,
) -> Tool | Callable[[Function], Tool]:
    """Makes a `Tool` of a function with a docstring and annotated parameters.

    What a parameter is for goes into its annotation: `Annotated[str, Field(description=...)]`.
    A parameter annotated `ToolContext` is given the context and is no part of the schema.

    Args:
        function: the function; async, or it runs in a thread.
        name: the wire name, unless it is the function's own in camelCase.
        timeout: seconds that a call may take.
        text_argument: the parameter that a payload of bare text stands for.

    Raises:
        TypeError: the function has no docstring, or a parameter that cannot be described.
    """

    def make(function: Function) -> Tool:
        function_name = getattr(function, "__name__", "tool")
        description = inspect.getdoc(function)
        if not description:
            raise TypeError(f"{function_name}: a tool needs a docstring, its description")
        parameters, context_parameter = _model(function, function_name)
        if text_argument is not None and text_argument not in parameters.model_fields:
            raise TypeError(f"{function_name}: text_argument names no parameter: {text_argument}")
        return Tool(
            name=name or to_camel(function_name),
            description=description,
            parameters=parameters,
            function=function,
            timeout=timeout,
            text_argument=to_camel(text_argument) if text_argument else None,
            context_parameter=context_parameter,
        )

    return make if function is None else make(function)


class _UntitledJsonSchema(GenerateJsonSchema):
    """Without pydantic's made-up titles, which cost the model tokens and say nothing new."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def _model(function: Function, function_name: str) -> tuple[type[BaseModel], str | None]:
    """The model of a function's parameters, and the name of the one that takes the context."""
    hints = cast("dict[str, object]", get_type_hints(function, include_extras=True))
    fields: dict[str, tuple[object, object]] = {}
    context_parameter: str | None = None
    for parameter in inspect.signature(function).parameters.values():
        annotation = hints.get(parameter.name)
        if annotation is None or parameter.kind not in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            raise TypeError(
                f"{function_name}: parameter {parameter.name} needs a name and an annotation"
            )
        if annotation is ToolContext:
            context_parameter = parameter.name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (annotation, default)
    config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True, allow_inf_nan=False)
    # create_model's own type cannot say "these fields" for names found at run time.
    make = cast("Callable[..., type[BaseModel]]", create_model)
    return make(to_camel(function_name), __config__=config, **fields), context_parameter


def _explain(errors: "list[ErrorDetails]") -> dict[str, str]:
    """What is wrong, by argument, in words that tell what is expected; never the value."""
    fields: dict[str, str] = {}
    for error in errors[:MAX_REPORTED_FIELDS]:
        name = ".".join(str(part)[:MAX_FIELD_NAME] for part in error["loc"]) or "arguments"
        match error["type"]:
            case "missing":
                what = "required"
            case "extra_forbidden":
                what = "unknown argument"
            case _:
                what = re.sub(r"^(Input|Value|String) should ", "should ", error["msg"])
        fields.setdefault(name, what)
    return fields


def _to_wire(result: object) -> str:
    return pydantic_core.to_json(result, inf_nan_mode="null").decode()
