"""RoomCalls: the parts of one room that tool calls need."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from livekit import rtc

from agent.config.settings import Settings
from agent.history.history import History
from agent.history.made_calls import KeptCall
from agent.limits.room_limits import RoomLimits
from agent.models.sampler import Sampler
from agent.state.room_states import RoomStates
from agent.tool_calls.approvals import Approvals
from agent.tool_calls.background_calls import BackgroundCalls
from agent.tool_calls.callers import Callers, LookUp
from agent.tool_calls.client_methods import ClientMethods
from agent.tool_calls.client_rpc import ClientRpc
from agent.tool_calls.conversation_tools import ConversationTools
from agent.tool_calls.lasting_calls import LastingCalls, is_late
from agent.tool_calls.tool_calls import FileSender, OnCalled, ToolCalls
from agent.wire.notices import Notices
from toolkit.caller import Caller
from toolkit.errors import RateLimited
from toolkit.questions import Sampled, Sampling
from toolkit.tool import Tool
from toolkit.toolbox import Toolbox

logger = logging.getLogger(__name__)


class RoomCalls:
    """Builds the parts that calls of the room's tools need.

    Args:
        look_up: asks the server for a participant.
        is_offered: whether the model has a tool of the room's at present.
        files: sends what tools make.
        history: remembers the calls that must not be made twice, and those that are made again.
        sampler: asks the model for tools.
        on_asked: told of such a request: the caller's identity, the model, tokens in and out.

    Attributes:
        calls: the way to call a tool.
        callers: looks up participants.
        background: the model's calls that go on after its answers.
    """

    def __init__(  # noqa: PLR0913 - what tool calls in a room need
        self,
        room: rtc.Room,
        toolbox: Toolbox,
        *,
        notices: Notices,
        look_up: LookUp,
        rpc: ClientRpc,
        files: FileSender,
        states: RoomStates,
        is_offered: Callable[[Tool], bool],
        limits: RoomLimits,
        settings: Settings,
        on_called: OnCalled,
        history: History,
        sampler: Sampler,
        on_asked: Callable[[str, str, int, int], None],
    ) -> None:
        self._toolbox = toolbox
        self._is_offered = is_offered
        self._limits = limits
        self._sampler = sampler
        self._on_asked = on_asked
        self.callers = Callers(room, look_up)
        self.background = BackgroundCalls(LastingCalls(history, settings.agent_identity))
        self._client_methods = ClientMethods(
            rpc, notices, timeout=settings.client_method_timeout, limit=settings.max_client_methods
        )
        self.calls = ToolCalls(
            toolbox,
            notices=notices,
            callers=self.callers,
            approvals=Approvals(room, rpc, notices, timeout=settings.approval_timeout),
            files=files,
            states=states,
            limits=limits,
            on_called=on_called,
            made=history.made_calls,
            ask_model=self._ask_model,
        )

    async def find_caller(self, identity: str) -> Caller:
        """Looks up a participant at the server."""
        return await self.callers.find(identity)

    def for_conversation(self) -> ConversationTools:
        """The tools of a conversation of the model's."""
        return ConversationTools(
            self._toolbox,
            self.calls,
            callers=self.callers,
            client_methods=self._client_methods,
            background=self.background,
            is_offered=self._is_offered,
        )

    def resume(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Makes the calls again that a former worker had in the background, if there is a tool
        whose calls survive.

        Args:
            holds: whether the agent may still answer in the room.
        """

        async def make(kept: KeptCall) -> bool:
            async with self.background.place():
                if not await holds() or not await self.background.lasting.claim(kept):
                    return False
                tool = next((each for each in self._toolbox if each.name == kept.tool), None)
                if tool is None or not tool.survives or is_late(kept, tool.timeout):
                    logger.warning(
                        "call of %s not repeated after a restart: too late, or its tool is gone",
                        kept.tool,
                    )
                    self.background.lasting.drop(kept.key)
                    return True
                caller = await self.callers.find(kept.identity, kept.name)
                logger.info("repeating the call of %s after a restart", kept.tool)
                self.calls.make_again(self.background, tool, kept, caller)
                return True

        if any(tool.survives for tool in self._toolbox):
            self.background.lasting.resume(make)

    async def _ask_model(self, sampling: Sampling, caller: Caller) -> Sampled:
        """Asks the model for somebody, with their tokens."""
        meter = self._limits.token_meter()
        refusal = await meter.begin(caller.identity)
        if refusal is not None:
            message = refusal.sentence.removesuffix(".")
            raise RateLimited(message, retry_after=refusal.retry_after)

        def asked(model: str, tokens_in: int, tokens_out: int) -> None:
            meter.used(tokens_in, tokens_out)
            self._on_asked(caller.identity, model, tokens_in, tokens_out)

        return await self._sampler.sample(sampling, asked)
