"""AskedQuestions: what the agent asks by RPC; the app answers each question once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from livekit import rtc

from agent.client.patience import Patience

BACK_WITHIN: Final = 20.0
"""Seconds in which an agent that comes back asks again. Another worker's never asks about the same
call: its model makes new calls."""

MAX_KEPT: Final = 64
"""Answers that are kept for when the agent asks again: one may not have reached it."""

Answer = TypeVar("Answer")

Payload = Mapping[str, Any]
"""A question of the agent, with `messageId`, `tool`, `timeout` and the question's id."""


Begin = Callable[[], Awaitable[Answer]]
"""Begins to answer a question."""


@dataclass(slots=True)
class _Question(Generic[Answer]):
    """Attributes:
    answering: has ended once there is an answer.
    absence: since the agent has left: withdraws the question, unless it is asked again.
    """

    asked: Payload
    answering: asyncio.Task[Answer]
    absence: asyncio.TimerHandle | None = None

    def asked_again(self) -> None:
        if self.absence is not None:
            self.absence.cancel()
            self.absence = None

    def is_of_same_message(self, asked: Payload) -> bool:
        mine, others = (each["messageId"] for each in (self.asked, asked))
        return bool(mine) and mine == others and self.asked.get("senderId") == asked.get("senderId")


class AskedQuestions(Generic[Answer]):
    """Answers the calls of one RPC method by one agent.

    A question that is asked again, such as after a new connection, is put to the app once: the
    answer is kept until the agent says that the question is over. It is over, too, where the agent
    has left and does not ask again in time, or another one asks because of the same message.

    Args:
        id_field: of the payload, has the question's id.
        is_agent: whether a participant is the agent; nobody else may ask.
        answer: what answers a question; None: nobody here does.
        encode: makes JSON of an answer.
        patience: of this client's own calls: a question about one of them has no message.
        on_withdrawn: called with a question that is over without the agent saying so.
    """

    def __init__(  # noqa: PLR0913 - all but two are named
        self,
        room: rtc.Room,
        method: str,
        *,
        id_field: str,
        is_agent: Callable[[str], bool],
        answer: Callable[[Payload], Begin[Answer] | None],
        encode: Callable[[Answer], Mapping[str, object]],
        patience: Patience,
        on_withdrawn: Callable[[Payload], None],
    ) -> None:
        self._room = room
        self._method = method
        self._id_field = id_field
        self._is_agent = is_agent
        self._answer = answer
        self._encode = encode
        self._patience = patience
        self._on_withdrawn = on_withdrawn
        self._is_open = False
        self._questions: dict[str, _Question[Answer]] = {}
        """By id."""

    def open(self) -> None:
        """Registers the method, once the room is connected."""
        if not self._is_open and self._room.isconnected():
            self._is_open = True
            self._room.local_participant.register_rpc_method(self._method, self._hear)

    def ended(self, question_id: str) -> None:
        """The question is over: it has been answered, or was not in time."""
        question = self._questions.pop(question_id, None)
        if question is not None:
            question.asked_again()
            question.answering.cancel()

    def all_ended(self) -> None:
        """The room is left for good."""
        for question_id in list(self._questions):
            self.ended(question_id)

    def agent_left(self) -> None:
        """Questions wait for the agent to come back; the SDK says that everybody has left while it
        makes a new connection, too."""
        loop = asyncio.get_running_loop()
        for question_id, question in self._questions.items():
            if question.absence is None:
                question.absence = loop.call_later(BACK_WITHIN, self._withdraw, question_id)

    def _withdraw(self, question_id: str) -> None:
        asked = self._questions[question_id].asked
        self.ended(question_id)
        self._on_withdrawn(asked)

    async def _hear(self, invocation: rtc.RpcInvocationData) -> str:
        if not self._is_agent(invocation.caller_identity):
            raise rtc.RpcError(403, "Only the agent may ask")
        asked = json.loads(invocation.payload)
        question = self._questions.get(asked[self._id_field])
        if question is None:
            question = self._begin(asked)
        else:
            question.asked_again()
        answering = question.answering
        try:
            return json.dumps(self._encode(await asyncio.shield(answering)))
        except asyncio.CancelledError:
            if answering.cancelled():
                raise rtc.RpcError(409, "The question is over") from None
            raise
        except TimeoutError:
            raise rtc.RpcError(504, "Nobody here has answered in time") from None

    def _begin(self, asked: Payload) -> _Question[Answer]:
        answer = self._answer(asked)
        if answer is None:
            raise rtc.RpcError(503, "Nobody here answers this")
        for former, each in list(self._questions.items()):
            # The next agent answers the same message, and its model makes new calls.
            if each.absence is not None and each.is_of_same_message(asked):
                self._withdraw(former)
        asking = self._ask(answer, asked)
        answering = asyncio.create_task(asking, name="ask the app")
        question = _Question(asked, answering)
        question_id = asked[self._id_field]
        self._questions[question_id] = question
        answering.add_done_callback(lambda _: self._keep(question_id, question))
        return question

    async def _ask(self, answer: Begin[Answer], asked: Payload) -> Answer:
        # A question without a message is about a call: ours, unless it names somebody else.
        me = self._room.local_participant.identity
        is_own = not asked["messageId"] and asked.get("senderId", me) == me
        with self._patience.asked() if is_own else contextlib.nullcontext():
            async with asyncio.timeout(asked["timeout"]):
                return await answer()

    def _keep(self, question_id: str, question: _Question[Answer]) -> None:
        """Keeps the latest answers. A question that got none is removed: the agent gets an error if
        it still waits."""
        task = question.answering
        has_answered = not task.cancelled() and task.exception() is None
        if not has_answered and self._questions.get(question_id) is question:
            question.asked_again()
            del self._questions[question_id]
        answered = [each for each, other in self._questions.items() if other.answering.done()]
        for oldest in answered[:-MAX_KEPT]:
            self.ended(oldest)
