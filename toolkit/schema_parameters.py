"""SchemaParameters: the parameters of a tool with a JSON schema in place of a typed function."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Self, cast

import jsonschema

from toolkit.errors import InvalidArguments
from toolkit.parameters import MAX_FIELD_NAME, MAX_REPORTED_FIELDS, to_json
from toolkit.schema_dialect import object_schema
from toolkit.schema_patterns import without_foreign_patterns
from toolkit.schema_references import check_references
from toolkit.schema_validator import Validator, validator_of

NO_FORMATS = jsonschema.FormatChecker(())
MAX_EXPECTATION = 200
"""Characters of the expectation for one argument."""


@dataclass(frozen=True, slots=True)
class SchemaParameters:
    """The function gets all of them as one dict, the keyword argument `arguments`."""

    schema: Mapping[str, object]
    validator: Validator

    @classmethod
    def of(cls, schema: Mapping[str, object]) -> Self:
        """Parameters that a JSON schema describes; common older forms are translated.

        Raises:
            ValueError: the schema cannot be used; the message says why.
        """
        current = object_schema(schema)
        checkable = without_foreign_patterns(current)
        try:
            # Without formats: among these, patterns are Python's.
            jsonschema.Draft202012Validator.check_schema(checkable, NO_FORMATS)
        except jsonschema.SchemaError as error:
            raise ValueError(f"no JSON schema: {error.message[:MAX_EXPECTATION]}") from None
        check_references(current)
        text = json.dumps(current, allow_nan=False)
        if '"unevaluatedProperties":' in text and '"patternProperties":' in text:
            # jsonschema matches these together by itself, in a time that has no bound.
            raise ValueError("unevaluatedProperties and patternProperties cannot be used together")
        return cls(current, validator_of(checkable))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(cast("Mapping[str, object]", self.schema.get("properties", {})))

    def json_schema(self) -> dict[str, object]:
        return dict(self.schema)

    def validate(self, arguments: Mapping[str, object]) -> dict[str, object]:
        to_json(arguments)
        fields: dict[str, str] = {}
        try:
            for error in islice(self.validator.iter_errors(dict(arguments)), MAX_REPORTED_FIELDS):
                for name, what in _explain(error):
                    fields.setdefault(name, what)
        except (ArithmeticError, ValueError) as error:
            # jsonschema divides by `multipleOf`, also what is infinite or too large for a float.
            raise InvalidArguments("The arguments have a number that cannot be checked") from error
        if fields:
            raise InvalidArguments.of(dict(islice(fields.items(), MAX_REPORTED_FIELDS)))
        return {"arguments": dict(arguments)}


def _explain(error: "jsonschema.ValidationError") -> "Iterable[tuple[str, str]]":
    """Describes each wrong argument and the expected form; never the value."""
    path = [str(part) for part in error.absolute_path]
    expected = cast("object", error.validator_value)
    match error.validator:
        case "required":
            given = cast("Mapping[str, object]", error.instance)
            for name in cast("list[str]", expected):
                if name not in given:
                    yield _name([*path, name]), "required"
        case "additionalProperties" if expected is False:
            known = cast("Mapping[str, object]", error.schema).get("properties", {})
            for name in cast("Mapping[str, object]", error.instance):
                if name not in cast("Mapping[str, object]", known):
                    yield _name([*path, name]), "unknown argument"
        case "type":
            yield _name(path), f"should be of type {_short(expected)}"
        case keyword:
            yield _name(path), f"should have {keyword}: {_short(expected)}"


def _name(path: list[str]) -> str:
    return ".".join(part[:MAX_FIELD_NAME] for part in path) or "arguments"


def _short(expected: object) -> str:
    text = expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False)
    return text if len(text) <= MAX_EXPECTATION else f"{text[:MAX_EXPECTATION]}…"
