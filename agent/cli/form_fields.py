"""FormField: one field of a form by a JSON schema, asked for in a line of a terminal."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

MAX_CHOICES_SHOWN: Final = 40

Kind = Literal["text", "number", "integer", "boolean", "choice", "choices", "json"]

Schema = Mapping[str, Any]

_KINDS: Final[Mapping[str, Kind]] = {
    "string": "text",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
}
_FORMATS: Final = {
    "email": "e-mail",
    "uri": "URL",
    "date": "YYYY-MM-DD",
    "date-time": "YYYY-MM-DDTHH:MM:SSZ",
}
_WORDS: Final = {
    **dict.fromkeys(("y", "yes", "true"), True),
    **dict.fromkeys(("n", "no", "false"), False),
}


@dataclass(frozen=True, slots=True)
class FormField:
    """Attributes:
    title: stands for the name; both may be anybody's words.
    choices: values with their labels, for the kinds that have some.
    whole: the schema of a form with this field alone.
    """

    name: str
    title: str
    description: str
    kind: Kind
    is_required: bool
    choices: Sequence[tuple[Any, str]]
    schema: Schema
    whole: Schema

    @property
    def has_default(self) -> bool:
        return "default" in self.schema

    @property
    def hint(self) -> str:
        """Describes the expected value."""
        hints = {
            "number": "number",
            "integer": "whole number",
            "boolean": "y or n",
            "choice": _numbered(self.choices),
            "choices": f"{_numbered(self.choices)}; several with commas",
            "json": "JSON",
            "text": _FORMATS.get(str(self.schema.get("format")), ""),
        }
        words = [hints[self.kind], _span(self.schema.get("minimum"), self.schema.get("maximum"))]
        if self.has_default:
            words.append(f"Enter for {json.dumps(self.schema['default'], ensure_ascii=False)}")
        else:
            words.append("required" if self.is_required else "Enter for none")
        return ", ".join(word for word in words if word)

    def value_of(self, text: str) -> Any:  # noqa: ANN401 - any JSON
        """The value that a text stands for. Raises ValueError, with what is expected."""
        value = self._read(text)
        wrong = misfits(self.whole, {self.name: value})
        if wrong:
            raise ValueError("; ".join(wrong.values()))
        return value

    def _read(self, text: str) -> Any:  # noqa: ANN401 - as above
        match self.kind:
            case "text":
                return text
            case "boolean":
                if text.lower() not in _WORDS:
                    raise ValueError("y or n")
                return _WORDS[text.lower()]
            case "integer" | "number":
                return self._read_number(text)
            case "choice":
                return self._choice(text)
            case "choices":
                return [self._choice(each.strip()) for each in text.split(",")]
            case "json":
                try:
                    return json.loads(text)
                except (ValueError, RecursionError):
                    raise ValueError("this is no JSON") from None

    def _read_number(self, text: str) -> float:
        is_whole = self.kind == "integer"
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            with contextlib.suppress(ValueError):
                return int(text)
            if not is_whole:
                return number
        raise ValueError(f"a {'whole ' if is_whole else ''}number")

    def _choice(self, text: str) -> Any:  # noqa: ANN401 - as above
        for value, label in self.choices:
            if text.casefold() in {label.casefold(), _text_of(value).casefold()}:
                return value
        if text.isascii() and text.isdigit() and 0 < int(text[:9]) <= len(self.choices):
            return self.choices[int(text[:9]) - 1][0]
        raise ValueError("one of these, or its number")


def misfits(schema: Schema, content: Mapping[str, object]) -> Mapping[str, str]:
    """Describes the expected value of each field that does not match the schema, by name."""
    # Only here: it takes 4 MB, and most conversations are asked nothing.
    from toolkit.errors import InvalidArguments  # noqa: PLC0415
    from toolkit.schema_parameters import SchemaParameters  # noqa: PLC0415

    try:
        SchemaParameters.of(schema).validate(content)
    except InvalidArguments as error:
        return error.fields
    except ValueError:
        # What cannot be checked here is for the agent to check.
        return {}
    return {}


def fields_of(schema: Schema) -> list[FormField]:
    """The fields of a form, in their order."""
    required = _list(schema.get("required"))
    return [
        _field(name, _mapping(given), schema, is_required=name in required)
        for name, given in _mapping(schema.get("properties")).items()
    ]


def _field(name: str, given: Schema, root: Schema, *, is_required: bool) -> FormField:
    found = _resolved(given, root)
    of_each = _choices(_mapping(found.get("items"))) if found.get("type") == "array" else []
    choices = of_each or _choices(found)
    kind: Kind = _KINDS.get(str(found.get("type")), "json")
    if choices:
        kind = "choices" if of_each else "choice"
    return FormField(
        name,
        _line(found.get("title")) or _line(name),
        _line(found.get("description")),
        kind,
        is_required,
        choices,
        found,
        {**_definitions(root), "type": "object", "properties": {name: given}},
    )


def _definitions(root: Schema) -> Schema:
    """The definitions that fields refer to, without the rules about several fields together."""
    return {key: root[key] for key in ("$schema", "$defs", "definitions") if key in root}


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Follows a reference, and takes of `anyOf` the one that is not null."""
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        at: object = root
        for key in reference[2:].split("/"):
            at = _mapping(at).get(key)
        return {**_mapping(at), **{key: each for key, each in schema.items() if key != "$ref"}}
    others = [
        each for each in map(_mapping, _list(schema.get("anyOf"))) if each.get("type") != "null"
    ]
    if len(others) == 1:
        return {**_resolved(others[0], root), **{k: v for k, v in schema.items() if k != "anyOf"}}
    return schema


def _choices(schema: Schema) -> list[tuple[Any, str]]:
    """`enum`, with its labels in `enumNames`, or constants with titles."""
    for key in ("oneOf", "anyOf"):
        constants = [_mapping(each) for each in _list(schema.get(key))]
        if constants and all("const" in each for each in constants):
            return [(e["const"], _line(e.get("title")) or _text_of(e["const"])) for e in constants]
    names = _list(schema.get("enumNames"))
    values = _list(schema.get("enum"))
    names += [None] * (len(values) - len(names))
    return [
        (value, _line(name) or _text_of(value)) for value, name in zip(values, names, strict=False)
    ]


def _numbered(choices: Sequence[tuple[Any, str]]) -> str:
    shown = [f"{number} {label}" for number, (_, label) in enumerate(choices, start=1)]
    more = ["…"] if len(shown) > MAX_CHOICES_SHOWN else []
    return ", ".join(shown[:MAX_CHOICES_SHOWN] + more)


def _span(least: object, most: object) -> str:
    match least, most:
        case int() | float(), int() | float():
            return f"{least} to {most}"
        case int() | float(), _:
            return f"{least} or more"
        case _, int() | float():
            return f"{most} at most"
        case _:
            return ""


def _text_of(value: object) -> str:
    return _line(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(text: object) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""


def _mapping(value: object) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, list) else []
