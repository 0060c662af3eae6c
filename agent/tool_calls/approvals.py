"""Approvals: a participant is asked whether a tool may run."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.tool_calls.call_origin import CallOrigin
from agent.tool_calls.client_rpc import (
    MAX_REQUEST_BYTES,
    AppError,
    ClientCallError,
    ClientRpc,
    NoAnswerError,
    NoSuchMethodError,
)
from agent.wire.envelope import encode
from toolkit.errors import NotAllowed, RateLimited, TooLarge
from toolkit.tool import Tool

logger = logging.getLogger(__name__)

METHOD = "approveTool"
MAX_ASKED = 8
"""Approvals that one participant is asked for at a time."""

MAX_REASON = 200


class Verdict(BaseModel):
    """A client's answer: `{"approved": bool, "reason"?: string}`."""

    model_config = ConfigDict(strict=True, frozen=True)

    approved: bool
    reason: Annotated[str, Field(max_length=10_000)] | None = None


class Approvals:
    """Asks by RPC, and takes everything but a plain yes for a no.

    Args:
        timeout: seconds that somebody has to decide.
    """

    def __init__(self, rpc: ClientRpc, *, timeout: float) -> None:
        self._rpc = rpc
        self._timeout = timeout
        self._asked: Counter[str] = Counter()

    async def ask(
        self, turn: CallOrigin, call_id: str, tool: Tool, arguments: Mapping[str, object]
    ) -> None:
        """Returns if the one whom the model answers agrees to the call.

        Raises:
            NotAllowed: they do not, or cannot be asked; the message says which, for the model.
            TooLarge: the arguments are too long to be shown.
            RateLimited: they are asked for too much at a time.
        """
        identity = turn.caller.identity
        if self._asked[identity] >= MAX_ASKED:
            raise RateLimited("Too many calls wait for approval", retry_after=self._timeout)
        self._asked[identity] += 1
        try:
            await self._ask(turn, call_id, tool, arguments)
        finally:
            self._asked[identity] -= 1
            if not self._asked[identity]:
                del self._asked[identity]

    async def _ask(
        self, turn: CallOrigin, call_id: str, tool: Tool, arguments: Mapping[str, object]
    ) -> None:
        question = encode(
            {
                "callId": call_id,
                "tool": tool.name,
                "description": tool.description[:1000],
                "arguments": dict(arguments),
                "messageId": turn.message_id,
                "timeout": self._timeout,
            }
        )
        if len(question) > MAX_REQUEST_BYTES:
            raise TooLarge(f"The arguments of {tool.name} are too long to be shown for approval")
        identity = turn.caller.identity
        if turn.private and not await self._rpc.is_private(identity):
            raise _refused(tool, "the participant's app cannot be asked privately")
        try:
            answer = await self._rpc.call(
                identity, METHOD, question.decode(), seconds=self._timeout
            )
        except NoSuchMethodError:
            raise _refused(tool, "the participant's app cannot ask for approval") from None
        except NoAnswerError:
            reason = f"the participant did not answer within {self._timeout:g} s"
            raise _refused(tool, reason) from None
        except AppError as error:
            raise _refused(tool, f"the participant's app: {str(error)[:MAX_REASON]}") from None
        except ClientCallError as error:
            raise _refused(tool, f"the participant {error}") from None
        self._judge(tool, answer)

    def _judge(self, tool: Tool, answer: str) -> None:
        try:
            verdict = Verdict.model_validate_json(answer)
        except ValidationError:
            logger.warning("client sent an unreadable answer to %s; the call is refused", METHOD)
            raise _refused(tool, "the participant's app gave no answer that can be read") from None
        if not verdict.approved:
            reason = (verdict.reason or "").strip()[:MAX_REASON]
            raise _refused(tool, f"the participant said no{': ' if reason else ''}{reason}")


def _refused(tool: Tool, reason: str) -> NotAllowed:
    return NotAllowed(f"{tool.name} was not approved: {reason}")
