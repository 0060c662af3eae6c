"""Part: an element that an answer shows beside its text, as in streams and in the history."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypeAliasType, TypedDict

DESCRIBED = ConfigDict(use_attribute_docstrings=True)
"""Docstrings of fields are their descriptions."""

PartId: TypeAlias = Annotated[str, Field(description="its own within the answer")]
At: TypeAlias = Annotated[
    int, Field(description="length of the text before it, in UTF-16 code units")
]
Truncated: TypeAlias = Annotated[
    bool, Field(description="it was shortened, because it would have been too large")
]


@with_config(DESCRIBED)
class ReasoningPart(TypedDict):
    """The model's reasoning."""

    id: PartId
    type: Literal["reasoning"]
    text: str
    at: NotRequired[At]
    truncated: NotRequired[Truncated]


@with_config(DESCRIBED)
class ToolCallPart(TypedDict):
    """A call of the model's."""

    id: PartId
    type: Literal["tool-call"]
    name: str
    state: Literal["running", "waiting", "done", "failed"]
    """`waiting`: for approval."""
    arguments: NotRequired[dict[str, object]]
    result: NotRequired[str]
    """As the answer to an RPC call."""
    code: NotRequired[int]
    """Of its failure, as errors of RPC methods have it."""
    error: NotRequired[str]
    at: NotRequired[At]
    truncated: NotRequired[Truncated]


@with_config(DESCRIBED)
class SourcePart(TypedDict):
    """A source that the answer relies on."""

    id: PartId
    type: Literal["source"]
    title: str
    url: str
    """http or https."""
    quote: NotRequired[str]
    at: NotRequired[At]
    truncated: NotRequired[Truncated]


@with_config(DESCRIBED)
class FilePart(TypedDict):
    """A file, which comes by itself."""

    id: PartId
    type: Literal["file"]
    fileId: str
    name: str
    mimeType: str
    size: int
    """Bytes."""
    sha256: str
    at: NotRequired[At]
    truncated: NotRequired[Truncated]


@with_config(DESCRIBED)
class DataPart(TypedDict):
    """Structured data that a client shows in its own way: a card, a chart, a form."""

    id: PartId
    type: Literal["data"]
    name: str
    """The kind of data."""
    value: object
    schema: NotRequired[dict[str, object]]
    """JSON schema of the values that actions send."""
    at: NotRequired[At]
    truncated: NotRequired[Truncated]


@with_config(DESCRIBED)
class SuggestionPart(TypedDict):
    """Suggestions for the person's next message."""

    id: PartId
    type: Literal["suggestion"]
    text: str
    at: NotRequired[At]
    truncated: NotRequired[Truncated]


HandoffPart = TypedDict(  # `from` is no name in Python.
    "HandoffPart",
    {
        "id": PartId,
        "type": Literal["handoff"],
        "from": Annotated[str, Field(description="name of the agent of the app before")],
        "to": Annotated[str, Field(description="name of the one that goes on")],
        "at": NotRequired[At],
        "truncated": NotRequired[Truncated],
    },
)

Part = TypeAliasType(
    "Part",
    Annotated[
        ReasoningPart
        | ToolCallPart
        | SourcePart
        | FilePart
        | DataPart
        | SuggestionPart
        | HandoffPart,
        Field(discriminator="type"),
    ],
)


@with_config(DESCRIBED)
class PartAppend(TypedDict):
    """A line that adds to the text of an earlier part."""

    id: PartId
    append: str


PartLine = TypeAliasType("PartLine", Part | PartAppend)
