"""A stand-in for a tool that does not exist, so that calling it works like any call."""

from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.errors import NotFound
from toolkit.tool import Tool

MAX_NAME = 64
"""Characters that are kept of a name that somebody made up."""


def unknown_tool(name: str) -> Tool:
    """A tool with that name whose calls fail with NotFound."""
    name = name[:MAX_NAME]

    async def fail(arguments: Mapping[str, object]) -> str:
        raise NotFound(f"There is no tool {name}")

    return Tool(name=name, description=name, parameters=_Anything(), function=fail, rpc=False)


@dataclass(frozen=True, slots=True)
class _Anything:
    """Parameters that take all arguments, since none is used."""

    names: tuple[str, ...] = ()

    def json_schema(self) -> dict[str, object]:
        return {"type": "object", "properties": {}}

    def validate(self, arguments: Mapping[str, object]) -> dict[str, object]:
        return {"arguments": dict(arguments)}
