"""Parts: what an answer shows beside its text. Tools make them; `ToolContext.show` takes them."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

import pydantic_core

from toolkit.caller import Caller

MAX_ID = 128
"""Characters of a part's id."""
MAX_NAME = 64
"""Characters of the name of a data part, or of an action."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source that the answer relies on.

    Attributes:
        title: a readable title; not empty.
        url: http or https. Clients make a link of it.
        quote: the quoted words.

    Raises:
        TypeError, ValueError: an attribute is not valid.
    """

    title: str
    url: str
    quote: str = ""

    def __post_init__(self) -> None:
        _check_text("Source.title", self.title)
        if not isinstance(self.quote, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a tool may be untyped
            raise TypeError("Source.quote must be text")
        _check_text("Source.url", self.url)
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError("Source.url must be an http or https URL")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A reply that the person might send next. Clients show it as a button, which sends the text.

    Raises:
        TypeError, ValueError: the text is no text, or empty.
    """

    text: str

    def __post_init__(self) -> None:
        _check_text("Suggestion.text", self.text)


@dataclass(frozen=True, slots=True)
class PartAction:
    """Somebody's action on a data part.

    Attributes:
        part: id of the part.
        action: which of the things that one can do with it.
        payload: what they entered, checked against the part's schema.
        caller: who did it.
    """

    part: str
    action: str
    payload: Mapping[str, object]
    caller: Caller


OnAction = Callable[[PartAction], Awaitable[object]]
"""Handles actions of a part. Its result answers the client's call: text as it is, anything else as
JSON. It may raise ToolError."""


@dataclass(frozen=True, slots=True)
class Data:
    """Structured data that a client shows in its own way: a card, a chart, a form.

    Attributes:
        name: which kind of thing it is; clients choose their view by it. 1 to 64 characters.
        value: anything that has a JSON form.
        id: the part's id within the answer, made up unless given. Another part with this id takes
            this one's place.
        schema: JSON schema (of an object) of what actions bring; clients make a form of it.
        on_action: handles what people do with the part, as long as the worker stays in the room.

    Raises:
        TypeError, ValueError: an attribute is not valid.
    """

    name: str
    value: object = field(repr=False)
    id: str | None = field(default=None, kw_only=True)
    schema: Mapping[str, object] | None = field(default=None, kw_only=True, repr=False)
    on_action: OnAction | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        _check_text("Data.name", self.name, MAX_NAME)
        if self.id is not None:
            _check_text("Data.id", self.id, MAX_ID)
        if self.schema is not None and not isinstance(self.schema, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - as above
            raise TypeError("Data.schema must be a JSON schema as a dict")
        if self.on_action is not None and not callable(self.on_action):
            raise TypeError("Data.on_action must be a function")


Part: TypeAlias = Source | Data | Suggestion
"""The parts that `ToolContext.show` takes."""


@dataclass(frozen=True, slots=True, init=False)
class Result:
    """A tool's result with parts to show beside the model's text: `Result(text, part)`.

    Attributes:
        value: for the model and for RPC callers, as if the tool had returned it.
        parts: shown in the answer.
    """

    value: object
    parts: tuple[Part, ...]

    def __init__(self, value: object, *parts: Part) -> None:
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "parts", parts)


@dataclass(frozen=True, slots=True)
class ShownPart:
    """A part as it goes out.

    Attributes:
        id: of the part.
        fields: its JSON without the id, beginning with `type`.
        made_from: the data part, where it takes actions.
    """

    id: str
    fields: Mapping[str, object]
    made_from: Data | None = None

    @classmethod
    def of(cls, part: Part) -> "ShownPart":
        """The JSON of a part; later changes to its value do not change it.

        Raises:
            TypeError: it is no part, or its value has no JSON form.
            ValueError: its schema is no JSON schema of an object.
        """
        match part:
            case Source():
                fields = {"type": "source", "title": part.title, "url": part.url}
                return cls(_new_id(), fields | ({"quote": part.quote} if part.quote else {}))
            case Suggestion():
                return cls(_new_id(), {"type": "suggestion", "text": part.text})
            case Data():
                shown: dict[str, object] = {
                    "type": "data",
                    "name": part.name,
                    "value": _as_json("Data.value", part.value),
                }
                if part.schema is not None:
                    shown["schema"] = _checked_schema(part.schema)
                return cls(part.id or _new_id(), shown, part if part.on_action else None)
            case _:  # pyright: ignore[reportUnnecessaryComparison] - a tool may be untyped
                raise TypeError(f"not a part: {type(part).__name__}")


Show = Callable[[ShownPart], None]
"""Takes a part into the answer. Never waits, never fails; may be called in any thread."""


def value_of(part: Part) -> object:
    """The model's text if a tool returns a part and nothing else."""
    match part:
        case Source():
            return {"title": part.title, "url": part.url, "quote": part.quote}
        case Suggestion():
            return part.text
        case Data():
            return part.value


def _new_id() -> str:
    return f"part_{uuid.uuid4().hex[:12]}"


def _check_text(what: str, value: object, longest: int | None = None) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be text")
    if not value.strip():
        raise ValueError(f"{what} must not be empty")
    if longest is not None and len(value) > longest:
        raise ValueError(f"{what} may have {longest} characters")


def _as_json(what: str, value: object) -> object:
    """The value as JSON has it; NaN and infinity become null, as in the answers of tools."""
    try:
        text = pydantic_core.to_json(value, inf_nan_mode="null")
    except (ValueError, RecursionError) as error:
        raise TypeError(f"{what} has no JSON form: {error}") from None
    return cast("object", pydantic_core.from_json(text))


def _checked_schema(schema: Mapping[str, object]) -> object:
    # Only where a schema is used: it takes 4 MB.
    from toolkit.schema_parameters import SchemaParameters  # noqa: PLC0415

    try:
        return SchemaParameters.of(cast("Mapping[str, Any]", schema)).json_schema()
    except ValueError as error:
        raise ValueError(f"Data.schema: {error}") from None
