"""Permissions: the participants that may call a tool."""

from collections.abc import Callable
from dataclasses import dataclass

from toolkit.caller import Caller

Permission = Callable[[Caller], bool]
"""Whether somebody may call a tool. Never waits."""

ROLE = "role"
"""The participant attribute that names roles, separated by commas."""


@dataclass(frozen=True, slots=True)
class Role:
    """Allows participants whose token has one of some roles.

    Attributes:
        names: the roles.
    """

    names: tuple[str, ...]

    def __call__(self, caller: Caller) -> bool:
        if not caller.vouched:
            return False
        roles = (each.strip() for each in caller.attributes.get(ROLE, "").split(","))
        return any(each in self.names for each in roles)


def role(*names: str) -> Role:
    """Allows participants with one of these roles in their token's attribute `role`.

    A participant with `canUpdateOwnMetadata` has no role: they could give themselves any.
    """
    return Role(names)
