"""MethodCalls: calls of the agent's RPC methods, with answers in responses and in packets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from livekit import rtc

from agent.client.agent_error import AgentError
from agent.client.patience import Patience

MAX_KEPT: Final = 64
"""Answers in packets whose parts are kept until they are asked for."""

QUESTIONS_TAKE: Final = 600.0
"""Seconds that the agent has on top of the caller's timeout, for its tool's questions."""

PACKETS_TAKE: Final = 5.0
"""Seconds in which the packets of an answer are there once the response is."""


class MethodCalls:
    """Args: agent: returns the agent's identity; raises AgentError if there is none.

    Attributes:
        patience: counts no time in which a call's tool asks somebody here.
    """

    def __init__(self, room: rtc.Room, agent: Callable[[], str]) -> None:
        self._room = room
        self._agent = agent
        self.patience = Patience()
        self._parts: OrderedDict[str, list[str]] = OrderedDict()
        self._arrived = asyncio.Event()

    async def call(
        self,
        method: str,
        arguments: Mapping[str, object] | str | None = None,
        timeout: float = 15.0,  # noqa: ASYNC109 - the SDK's own parameter
        *,
        may_ask: bool = False,
    ) -> str:
        """The answer as text. Raises AgentError with the method's code.

        Args:
            timeout: seconds in which the response is there.
            may_ask: the method is a tool's, and somebody here answers its questions: their time
                does not count.
        """
        payload = arguments if isinstance(arguments, str) else json.dumps(dict(arguments or {}))
        limit = self.patience.limit(timeout) if may_ask else contextlib.nullcontext()
        try:
            async with limit:
                response = await self._room.local_participant.perform_rpc(
                    destination_identity=self._agent(),
                    method=method,
                    payload=payload,
                    response_timeout=timeout + QUESTIONS_TAKE if may_ask else timeout,
                )
        except rtc.RpcError as error:
            raise AgentError.of(error) from error
        except TimeoutError:
            code = rtc.RpcError.ErrorCode.RESPONSE_TIMEOUT
            raise AgentError(code, "Response timeout") from None
        return await self._answer_of(response)

    def hear(self, packet: Mapping[str, Any]) -> None:
        """Takes a packet on topic `rpc` that the agent sent."""
        if isinstance(packet.get("id"), str) and isinstance(packet.get("text"), str):
            self._parts.setdefault(packet["id"], []).append(packet["text"])
            if len(self._parts) > MAX_KEPT:
                self._parts.popitem(last=False)
            self._arrived.set()

    async def _answer_of(self, response: str) -> str:
        if not response.startswith('{"packet":'):
            return response
        where = json.loads(response)
        try:
            # The SDK may hand over the response before the last packets.
            async with asyncio.timeout(PACKETS_TAKE):
                while len(self._parts.get(where["packet"], ())) < where["parts"]:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AgentError(504, "the packets of the answer did not arrive") from None
        return "".join(self._parts.pop(where["packet"]))
