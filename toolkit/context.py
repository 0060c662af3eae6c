"""What a tool is given besides its arguments."""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolkit.file import SendFile

if TYPE_CHECKING:
    import aiohttp

    from toolkit.settings import ToolSettings
    from toolkit.tool import Tool
    from toolkit.toolbox import Toolbox

MAX_PROGRESS_TEXT = 200
"""Characters of a progress report that go out."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a tool runs for, in the room server's words, never in the caller's own.

    Attributes:
        name: their display name; may be empty.
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


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is: a fraction from 0 to 1, if that is known, and a few words."""

    fraction: float | None
    text: str


Report = Callable[[Progress], None]
"""Tells those who may know of it. Never waits, never fails; may be called in any thread."""

Approve = Callable[["Tool", Mapping[str, object]], Awaitable[None]]
"""Asks whoever has to agree to a call with these arguments; raises ToolError if they do not."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Handed to every parameter annotated `ToolContext`; it is no part of the tool's schema.

    Attributes:
        toolbox: the tools that this one stands beside, and their caches.
        settings: what the tools were configured with.
        http: one session for all tools of the toolbox; the toolbox closes it.
        caller: who asked, or None where nobody in particular did.
        call_id: of this call, unique; empty where nobody is told of it.
        report: where progress goes, if anybody wants to know.
        approve: asks for the consent that a tool needs, where there is somebody to ask.
        send_file: sends a file to whoever asked, where that can be; what a tool returns that is a
            `File` goes that way by itself.
        on_confidential: hears that nobody but the caller may read the answer, where somebody else
            might.
    """

    toolbox: "Toolbox"
    settings: "ToolSettings"
    http: "aiohttp.ClientSession"
    caller: Caller | None = None
    call_id: str = ""
    report: Report | None = None
    approve: Approve | None = None
    send_file: SendFile | None = None
    on_confidential: Callable[[], None] | None = None

    def keep_confidential(self) -> None:
        """Keeps the answer to this call from everybody but its caller, as
        `@tool(confidential=True)` does for all calls.

        It is about answers to RPC callers: what a model calls for stands in its conversation. May
        be called in any thread.
        """
        if self.on_confidential is not None:
            self.on_confidential()

    def progress(self, fraction: float | None = None, text: str = "") -> None:
        """Tells who asked how far the call is.

        Costs next to nothing, never waits and never fails; may be called in any thread, and as
        often as one likes: what is said too often goes out as its latest.

        Args:
            fraction: how much is done, from 0 to 1; None where nobody knows.
            text: a few words; at most 200 characters of them go out.
        """
        if self.report is None:
            return
        if fraction is not None:
            fraction = None if math.isnan(fraction) else min(max(float(fraction), 0.0), 1.0)
        self.report(Progress(fraction, text[:MAX_PROGRESS_TEXT]))
