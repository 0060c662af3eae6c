"""TokenRequest: what a client asks of a token endpoint, in LiveKit's standard form.

https://docs.livekit.io/frontends/build/authentication/endpoint/; `TokenSource.endpoint` of the
SDKs sends it.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from google.protobuf.json_format import ParseDict, ParseError
from livekit import api
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

_Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)]


class TokenRequest(BaseModel):
    """All fields are optional; null and an empty value count as absent."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    room_name: _Name | None = None
    participant_identity: _Name | None = None
    participant_name: Annotated[str, Field(max_length=256)] | None = None
    participant_metadata: Annotated[str, Field(max_length=8192)] | None = None
    participant_attributes: Annotated[dict[str, str], Field(max_length=50)] | None = None
    room_config: dict[str, Any] | None = None

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Reads a body; an empty one asks for nothing in particular.

        Raises:
            ValueError: it is no such request; the message is for the caller.
        """
        try:
            return cls.model_validate_json(body or b"{}")
        except ValidationError as error:
            problems = (
                ": ".join((*(str(part) for part in each["loc"][:1]), each["msg"]))
                for each in error.errors(include_url=False, include_input=False)
            )
            raise ValueError("; ".join(problems)) from None

    def room_configuration(self) -> api.RoomConfiguration:
        """The room configuration, an empty one where none is asked for; its names may be in either
        case. Raises ValueError."""
        try:
            return ParseDict(self.room_config or {}, api.RoomConfiguration())
        except ParseError:
            raise ValueError("room_config: not a RoomConfiguration") from None
