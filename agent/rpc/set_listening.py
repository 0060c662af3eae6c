"""setListening: to whom the agent listens, as an RPC method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from agent.contract.answers import Listening
from agent.rpc.arguments import caller_of
from agent.rpc.permissions import check_listening
from toolkit.context import ToolContext
from toolkit.errors import NotFound
from toolkit.tool import Tool, tool


def set_listening_tool(
    is_present: Callable[[str], bool],
    listening: Callable[[], str | None],
    listen_to: Callable[[str | None], None],
) -> Tool:
    """The method for one room.

    Args:
        listening: the one person that the agent listens to; None: anybody who speaks.
    """

    @tool
    async def set_listening(
        context: ToolContext,
        identity: Annotated[
            str | None,
            Field(description="identity of the participant to listen to; null: everybody"),
        ],
    ) -> Listening:
        """Listen to one person only, until they leave, or again to anybody who speaks."""
        if identity is not None and not is_present(identity):
            raise NotFound("There is nobody of that identity")
        check_listening(caller_of(context), listening(), identity)
        listen_to(identity)
        return {"listening": identity}

    return set_listening
