"""RpcMethods: the agent's RPC methods: the model's tools, and the room's own methods."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable

from livekit import rtc

from agent.limits.room_limits import RoomLimits
from agent.rpc.answer_delivery import AnswerDelivery
from agent.rpc.rpc_call import RpcCall, is_server_api, take_answer_in
from agent.telemetry.metrics import RPC_SECONDS
from agent.tool_calls.tool_calls import ToolCalls
from agent.wire.refusal import Refusal
from toolkit.errors import RateLimited, TimedOut, TooLarge, ToolError
from toolkit.tool import Tool
from toolkit.toolbox import Toolbox

logger = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 65_536

MAX_MESSAGE_BYTES = 256
MAX_DATA_BYTES = 15_360
"""Bounds of an RPC error's message and data (livekit rtc SDK, rpc.py)."""

OK = "ok"
CANCELLED = "cancelled"
"""Outcomes of calls besides the codes of errors."""

MARGIN = 0.5
"""Seconds before the caller's timeout at which a tool is stopped, so that the caller learns why."""


class RpcMethods:
    """RPC access to the tools: invocation, limits, `Tool.call`, answer or RpcError.

    Text that a tool returns goes back bare, anything else as JSON. Errors are those of
    `toolkit.errors` by their codes, with their details as JSON in the error's data; the cause of
    a failure stays in the log.

    Calls under way are counted by caller. Those of the server API count together, because each has
    an identity of its own.
    """

    def __init__(  # noqa: PLR0913 - what calls need
        self,
        room: rtc.Room,
        toolbox: Toolbox,
        own: Iterable[Tool] = (),
        *,
        yielding: Iterable[Tool] = (),
        calls: ToolCalls,
        answers: AnswerDelivery,
        limits: RoomLimits,
        max_calls: int,
    ) -> None:
        """`own` are methods of the room's own, which the model does not have; `yielding` are more
        of them, and give way to tools of their names."""
        self._room = room
        self._toolbox = toolbox
        self._own = tuple(own)
        self._yielding = tuple(yielding)
        self._calls = calls
        self._methods: dict[str, Tool] = {}
        self._unwatch: Callable[[], None] | None = None
        self._answers = answers
        self._limits = limits
        self._max_calls = max_calls
        self._under_way: Counter[str | None] = Counter()

    @property
    def names(self) -> tuple[str, ...]:
        """The methods' names."""
        return tuple(self._methods)

    def open(self, *, on_change: Callable[[tuple[str, ...]], None]) -> None:
        """Makes the methods callable; call it at once after connecting.

        Tools may come and go later: `on_change` gets the names that there are then.
        """
        self._register_all()

        def changed() -> None:
            self._register_all()
            on_change(self.names)

        self._unwatch = self._toolbox.watch(changed)

    def close(self) -> None:
        """Stops following changes of the tools."""
        if self._unwatch is not None:
            self._unwatch()

    def unregister(self) -> None:
        """Removes the methods; call it once the room has been left.

        The native library keeps all of a room for as long as one of its methods is registered
        (rust-sdks pull request 1437).
        """
        for name in self._methods:
            self._room.local_participant.unregister_rpc_method(name)
        self._methods = {}

    def _register_all(self) -> None:
        before = self._methods
        self._methods = {t.name: t for t in (*self._toolbox, *self._own) if t.rpc}
        for tool in self._yielding:
            self._methods.setdefault(tool.name, tool)
        for name, tool in before.items():
            if self._methods.get(name) is not tool:
                self._room.local_participant.unregister_rpc_method(name)
        for name, tool in self._methods.items():
            if before.get(name) is not tool:
                self._register(tool)

    def _register(self, tool: Tool) -> None:
        async def handle(invocation: rtc.RpcInvocationData) -> str:
            began, code = time.monotonic(), CANCELLED
            try:
                answer = await self._call(tool, invocation)
                code = OK
            except ToolError as error:
                code = str(error.code)
                raise to_rpc_error(error) from error
            finally:
                RPC_SECONDS.observe(time.monotonic() - began, tool.name, code)
            return answer

        self._room.local_participant.register_rpc_method(tool.name, handle)

    async def _call(self, tool: Tool, invocation: rtc.RpcInvocationData) -> str:
        by_server_api = is_server_api(invocation, self._room)
        caller = None if by_server_api else invocation.caller_identity
        if len(invocation.payload.encode()) > MAX_PAYLOAD_BYTES:
            raise TooLarge(f"A payload may have {MAX_PAYLOAD_BYTES} bytes")
        if self._under_way[caller] >= self._max_calls:
            raise RateLimited(
                f"You have {self._max_calls} calls under way already", retry_after=1.0
            )
        try:
            # The server API has one rate for all its calls, as it has one bound.
            self._limits.take_rpc_call(caller or "")
        except Refusal as refusal:
            message = refusal.sentence.removesuffix(".")
            raise RateLimited(message, retry_after=refusal.retry_after) from None
        self._under_way[caller] += 1
        try:
            return await self._answer(tool, invocation, by_server_api=by_server_api)
        finally:
            self._under_way[caller] -= 1
            if not self._under_way[caller]:
                del self._under_way[caller]

    async def _answer(
        self, tool: Tool, invocation: rtc.RpcInvocationData, *, by_server_api: bool
    ) -> str:
        arguments, answer_in = take_answer_in(tool, tool.parse_payload(invocation.payload))
        now = asyncio.get_running_loop().time()
        call = RpcCall(
            invocation.caller_identity,
            tool.name,
            is_server_api=by_server_api,
            deadline=now + max(invocation.response_timeout - MARGIN, MARGIN),
            answer_in=answer_in,
        )
        try:
            async with asyncio.timeout_at(call.deadline):
                answer = await self._calls.by_rpc(
                    tool, arguments, call.identity, in_room=not call.is_server_api
                )
                return await self._answers.deliver(call, answer)
        except TimeoutError:
            raise TimedOut(f"{tool.name} took longer than the call may") from None


def to_rpc_error(error: ToolError) -> rtc.RpcError:
    """Returns the caller's error: code, a message within LiveKit's bound, details as JSON."""
    data = json.dumps(error.details, ensure_ascii=False) if error.details else None
    if data is not None and len(data.encode()) > MAX_DATA_BYTES:
        data = None
    message = error.message.encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")
    return rtc.RpcError(error.code, message, data)
