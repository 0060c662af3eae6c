"""Settings of tools: groups, each a typed class."""

from collections.abc import Callable
from typing import TypeVar, cast

from pydantic import BaseModel

Group = TypeVar("Group", bound=BaseModel)


class ToolSettings:
    """The settings of all tools of a toolbox, by their classes.

    A group is a pydantic model. The worker reads its fields from the environment, by their aliases
    or their names in capitals, and checks them at the start; tools read no environment.

    Attributes:
        proxy_for: the proxy that a URL is asked through, if any.
    """

    def __init__(
        self, *groups: BaseModel, proxy_for: Callable[[str], str | None] | None = None
    ) -> None:
        self.proxy_for = proxy_for
        self._groups = {type(group): group for group in groups}

    def __getitem__(self, kind: type[Group]) -> Group:
        """The settings of this class; raises LookupError if they were not requested."""
        try:
            return cast("Group", self._groups[kind])
        except KeyError:
            raise LookupError(
                f"{kind.__name__} was not read: name it in @tool(settings=...) or App(settings=...)"
            ) from None
