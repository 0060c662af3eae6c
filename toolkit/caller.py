"""Caller: the participant for whom a tool runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a tool, as the room server describes them, never as they describe themselves.

    Attributes:
        name: their display name, on one line; may be empty.
        attributes: participant attributes.
        metadata: participant metadata.
        vouched: name, attributes and metadata are as the app's token (or its server) set them: the
            participant may not change them (`canUpdateOwnMetadata`). The identity always is.
    """

    identity: str
    name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str], compare=False, repr=False)
    metadata: str = field(default="", compare=False, repr=False)
    vouched: bool = False
