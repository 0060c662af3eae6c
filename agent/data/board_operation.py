"""Operations on a whiteboard."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, RootModel

MAX_POINTS: Final = 1_000
MAX_TEXT: Final = 4_000
"""Characters of a note or a text."""

Coordinate = Annotated[
    float,
    Field(ge=-1e6, le=1e6, allow_inf_nan=False),
    AfterValidator(lambda value: round(value, 6)),
]
Point = tuple[Coordinate, Coordinate]
ElementId = Annotated[str, Field(min_length=1, max_length=128)]
Color = Annotated[str, Field(max_length=32, pattern=r"^[#\w(),.%/ -]+$")]


class Stroke(BaseModel):
    """A line through points. With an id that is there already, it replaces that element."""

    op: Literal["stroke"]
    id: ElementId
    points: Annotated[list[Point], Field(min_length=1, max_length=MAX_POINTS)]
    color: Color | None = None
    width: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)] | None = None


class Text(BaseModel):
    """A note (as on paper) or bare text. Replaces an element with its id, too."""

    op: Literal["note", "text"]
    id: ElementId
    x: Coordinate
    y: Coordinate
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
    color: Color | None = None


class Move(BaseModel):
    """Moves an element; a stroke is moved by its first point."""

    op: Literal["move"]
    id: ElementId
    x: Coordinate
    y: Coordinate


class Erase(BaseModel):
    """Removes an element; a missing one is no error."""

    op: Literal["erase"]
    id: ElementId


class Clear(BaseModel):
    """Removes all elements."""

    op: Literal["clear"]


AnyOperation = Annotated[Stroke | Text | Move | Erase | Clear, Field(discriminator="op")]


class Operation(RootModel[AnyOperation]):
    """An operation; `op` says which."""
