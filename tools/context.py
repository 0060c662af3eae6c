"""What a tool is given besides its arguments."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

    from tools.settings import ToolSettings
    from tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a tool runs for, in the room server's words, never in the caller's own."""

    identity: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Handed to every parameter annotated `ToolContext`; it is no part of the tool's schema.

    Attributes:
        toolbox: the tools that this one stands beside, and their caches.
        settings: what the tools were configured with.
        http: one session for all tools of the toolbox; the toolbox closes it.
        caller: who asked, or None where nobody in particular did.
    """

    toolbox: "Toolbox"
    settings: "ToolSettings"
    http: "aiohttp.ClientSession"
    caller: Caller | None = None
