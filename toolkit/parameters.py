"""Parameters: a tool's parameters, described as JSON schema and checked before a call."""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, cast

import pydantic_core
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from toolkit.errors import InvalidArguments

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_REPORTED_FIELDS = 20
MAX_FIELD_NAME = 64


class Parameters(Protocol):
    """The parameters of a tool."""

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments' names on the wire."""
        ...

    def json_schema(self) -> dict[str, object]:
        """JSON schema of the arguments, as OpenAI function tools and form builders take it."""
        ...

    def validate(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """The keyword arguments for the tool's function; raises InvalidArguments."""
        ...


@dataclass(frozen=True)
class TypedParameters:
    """The parameters of a function, as a pydantic model; names on the wire are its aliases."""

    model: type[BaseModel]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.alias or name for name, field in self.model.model_fields.items())

    def json_schema(self) -> dict[str, object]:
        return copy.deepcopy(self._schema)

    @cached_property
    def _schema(self) -> dict[str, object]:
        schema = self.model.model_json_schema(schema_generator=_UntitledJsonSchema)
        del schema["title"]
        return schema

    def validate(self, arguments: Mapping[str, object]) -> dict[str, object]:
        try:
            # By way of JSON: strict, but a date or an enum can still be written as text.
            payload = to_json(arguments)
            values = self.model.model_validate_json(payload, strict=True)
        except ValidationError as error:
            fields = explain(error.errors(include_url=False, include_input=False))
            raise InvalidArguments.of(fields) from None
        return {name: cast("object", getattr(values, name)) for name in self.model.model_fields}


def to_json(arguments: Mapping[str, object]) -> bytes:
    """Arguments as JSON; raises InvalidArguments."""
    try:
        return pydantic_core.to_json(dict(arguments))
    except (pydantic_core.PydanticSerializationError, UnicodeEncodeError) as error:
        raise InvalidArguments("The arguments cannot be written as JSON") from error


class _UntitledJsonSchema(GenerateJsonSchema):
    """Without pydantic's made-up titles, which cost the model tokens and say nothing new."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def explain(errors: "list[ErrorDetails]") -> dict[str, str]:
    """Describes each wrong argument and the expected form; never the value."""
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
