"""Who may call a tool."""

from collections.abc import Callable

from toolkit.caller import Caller

Permission = Callable[[Caller], bool]
"""Whether somebody may call a tool. Never waits."""

ROLE = "role"
"""The participant attribute that names roles, separated by commas."""


def role(*names: str) -> Permission:
    """Those who have one of these roles by their token: its attribute `role`.

    Whoever may change their own attributes (`canUpdateOwnMetadata`) has no role: they could give
    themselves any.
    """

    def allows(caller: Caller) -> bool:
        if not caller.vouched:
            return False
        roles = (each.strip() for each in caller.attributes.get(ROLE, "").split(","))
        return any(each in names for each in roles)

    return allows
