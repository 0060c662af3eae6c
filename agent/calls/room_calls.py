"""RoomCalls: all that has to do with the tool calls of one room."""

from __future__ import annotations

from livekit import rtc

from agent.calls.approvals import Approvals
from agent.calls.callers import Callers, LookUp
from agent.calls.conversation_tools import ConversationTools
from agent.calls.tool_calls import ToolCalls
from agent.wire.notices import Notices
from tools.toolbox import Toolbox


class RoomCalls:
    """Puts together what calls of the room's tools need.

    Args:
        look_up: asks the server for a participant.
        approval_timeout: seconds that somebody has to approve a call.

    Attributes:
        calls: the way to call a tool.
    """

    def __init__(
        self,
        room: rtc.Room,
        toolbox: Toolbox,
        *,
        notices: Notices,
        look_up: LookUp,
        approval_timeout: float,
    ) -> None:
        self._toolbox = toolbox
        self._callers = Callers(room, look_up)
        self.calls = ToolCalls(
            toolbox,
            notices=notices,
            callers=self._callers,
            approvals=Approvals(room, self._callers, timeout=approval_timeout),
        )

    def for_conversation(self) -> ConversationTools:
        """The tools of a conversation of the model's."""
        return ConversationTools(self._toolbox, self.calls, self._callers)
