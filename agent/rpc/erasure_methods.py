"""eraseData: a participant's or a room's data, erased for good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from pydantic import Field

from agent.contract.answers import ErasedCounts
from agent.history.message import MAX_ID_LENGTH
from agent.rpc.arguments import BackendToken
from agent.rpc.history_errors import told_to_caller
from agent.rpc.permissions import Moderators
from toolkit.context import ToolContext
from toolkit.errors import InvalidArguments, NotAllowed
from toolkit.tool import Tool, tool

Scope = Literal["conversation", "room", "everywhere"]
Erase = Callable[[str | None, Scope], Awaitable[ErasedCounts]]
"""Erases the data of a participant (None: of everybody) within a scope; returns the receipt."""

ERASING_TAKES = 60.0
"""Seconds that a caller is kept waiting; the work goes on."""


def erase_data_tool(erase: Erase, is_backend: Callable[[str], bool]) -> Tool:
    """The method for one room.

    Args:
        is_backend: whether an access token is the app's own, for administering this room.
    """

    @tool(timeout=ERASING_TAKES)
    async def erase_data(
        context: ToolContext,
        identity: Annotated[
            str | None,
            Field(
                description="identity whose data is erased; null: everybody's",
                min_length=1,
                max_length=MAX_ID_LENGTH,
            ),
        ],
        scope: Annotated[
            Scope,
            Field(
                description="conversation: this one; room: all of rooms of this name; everywhere: "
                "all that there is of the participant"
            ),
        ] = "conversation",
        token: BackendToken = None,
    ) -> ErasedCounts:
        """Erase messages with their answers, files, drawings, reactions, feedback and summaries for
        good."""
        if token is not None:
            if not is_backend(token):
                raise NotAllowed("The token is not valid for this room")
        elif context.caller is None or not Moderators(context.caller):
            raise NotAllowed("Erasing takes the role moderator, or the backend's token")
        elif scope != "conversation":
            raise NotAllowed("Beyond this conversation, erasing takes the backend's token")
        if scope == "everywhere" and identity is None:
            raise InvalidArguments.of({"identity": "must not be null with the scope everywhere"})
        with told_to_caller("identity"):
            return await erase(identity, scope)

    return erase_data
