"""Elicitations: a tool asks the person something, and the app answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from livekit import rtc

MAX_KEPT: Final = 64
"""Answers that are kept for when the agent asks again."""


@dataclass(frozen=True, slots=True)
class Elicitation:
    """A question of a tool's.

    Attributes:
        schema: JSON schema of the fields to fill in; None: there are none.
        url: a page to open, once the person agrees; empty: there is none.
        timeout: seconds in which the agent needs to know.
    """

    question_id: str
    call_id: str
    tool: str
    message: str
    schema: Mapping[str, Any] | None
    url: str
    timeout: float


Fields = Mapping[str, Any]
Answer = Callable[[Elicitation], Awaitable[Fields | bool | None]]
"""Returns the fields, or True; False says no, and None neither yes nor no."""


class Elicitations:
    """Answers the calls of `elicit` of one agent.

    A question that is asked again, such as after a new connection, is put to the app once.

    Args:
        is_agent: whether a participant is the agent; nobody else may ask.
        answer: the function that answers now; None: nobody can be asked.
    """

    def __init__(
        self,
        room: rtc.Room,
        *,
        is_agent: Callable[[str], bool],
        answer: Callable[[], Answer | None],
    ) -> None:
        self._room = room
        self._is_agent = is_agent
        self._answer = answer
        self._is_open = False
        self._asked: dict[str, asyncio.Task[str]] = {}

    def open(self) -> None:
        """Registers the method, once the room is connected."""
        if not self._is_open and self._room.isconnected():
            self._is_open = True
            self._room.local_participant.register_rpc_method("elicit", self._elicit)

    def ended(self, question_id: str) -> None:
        """The question is over."""
        task = self._asked.pop(question_id, None)
        if task is not None:
            task.cancel()

    def all_ended(self) -> None:
        """The agent has left, or the room: questions are over. Answers stay, since the SDK says the
        same of everybody while it makes a new connection."""
        for question_id, task in list(self._asked.items()):
            if not task.done():
                self.ended(question_id)

    async def _elicit(self, invocation: rtc.RpcInvocationData) -> str:
        if not self._is_agent(invocation.caller_identity):
            raise rtc.RpcError(403, "Only the agent may ask")
        asked = json.loads(invocation.payload)
        question_id = asked["questionId"]
        task = self._asked.get(question_id)
        if task is None:
            answer = self._answer()
            if answer is None:
                raise rtc.RpcError(503, "Nobody here answers questions")
            task = asyncio.create_task(_answered(answer, asked), name="answer a question")
            self._asked[question_id] = task
            task.add_done_callback(lambda task: self._forget(question_id, task))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise rtc.RpcError(409, "The question is over") from None
            raise
        except TimeoutError:
            raise rtc.RpcError(504, "Nobody here has answered in time") from None

    def _forget(self, question_id: str, task: asyncio.Task[str]) -> None:
        """Keeps the last answers until the agent says that the question is over: one may be lost
        with the connection."""
        has_answered = not task.cancelled() and task.exception() is None
        if not has_answered and self._asked.get(question_id) is task:
            del self._asked[question_id]
        answered = [each for each, task in self._asked.items() if task.done()]
        for oldest in answered[:-MAX_KEPT]:
            del self._asked[oldest]


async def _answered(answer: Answer, asked: Mapping[str, Any]) -> str:
    question = Elicitation(
        asked["questionId"],
        asked["callId"],
        asked["tool"],
        asked["message"],
        asked.get("schema"),
        asked.get("url", ""),
        asked["timeout"],
    )
    async with asyncio.timeout(question.timeout):
        given = await answer(question)
    if given is None:
        return json.dumps({"action": "cancel"})
    if given is False:
        return json.dumps({"action": "decline"})
    content: Fields = {} if given is True else given
    return json.dumps({"action": "accept", "content": dict(content)})
