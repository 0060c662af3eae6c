"""ApprovalQuestion: asks those who may decide on a call, until one of them does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, Literal

from livekit import rtc
from pydantic import BaseModel, ConfigDict, Field

from agent.tasks import Tasks
from agent.tool_calls.client_rpc import (
    AppError,
    ClientCallError,
    ClientRpc,
    NoAnswerError,
    NoSuchMethodError,
)

logger = logging.getLogger(__name__)

METHOD: Final = "approveTool"

MAX_PEOPLE: Final = 16
"""Participants who are asked for one approval at a time; others are, as places become free. Those
whose app cannot ask take none between two attempts."""

ABSENT_FOR: Final = 20.0
"""Seconds in which the only person who may approve has to come back."""

ON_THE_WAY: Final = 2.0
"""Seconds that an answer may take to arrive, after the time to give it."""

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds before somebody who could not be asked is asked again; the pause doubles each time."""

MAX_REASON: Final = 200

_EVENTS: Final[tuple[rtc.room.EventTypes, ...]] = (
    "participant_active",
    "participant_disconnected",
    "participant_attributes_changed",
    "participant_permissions_changed",
)


class Answer(BaseModel):
    """A client's answer: `{"approved": bool, "reason"?: string}`."""

    model_config = ConfigDict(strict=True, frozen=True)

    approved: bool
    reason: Annotated[str, Field(max_length=10_000)] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a question.

    Attributes:
        outcome: `cancelled`: the call was cancelled.
        reason: for the model, if the call is not approved.
        by: identity of the participant who decided; empty: nobody did.
        content: the fields that they filled in, if the question had any.
    """

    outcome: Literal["approved", "refused", "unanswered", "cancelled"]
    reason: str = ""
    by: str = ""
    content: Mapping[str, object] = field(default_factory=dict[str, object])


def read_approval(text: str) -> Verdict:
    """A client's answer to `approveTool`; raises ValueError."""
    answer = Answer.model_validate_json(text)
    if answer.approved:
        return Verdict("approved")
    return Verdict("refused", (answer.reason or "").strip()[:MAX_REASON])


class ApprovalQuestion:
    """One question to everybody who may answer it, also to those who come while it is open.

    A participant who reconnects in another session is asked again. The first yes or no counts. A
    client that cannot ask, fails, or sends an unreadable answer abstains; if nobody else may
    answer, that is a no.

    Args:
        may_answer: whether somebody may answer; checked again when their answer arrives.
        sole: only this participant may answer; None: those whom `may_answer` allows.
        payload: the question, given the seconds that are left.
        private: only clients that can be asked so that nobody else reads it are asked.
        seconds: the time limit for an answer.
        method: the RPC method of the clients.
        read: the verdict that an answer stands for; raises ValueError.

    Attributes:
        asked: identities of those who were asked.
    """

    def __init__(  # noqa: PLR0913 - what a question is made of
        self,
        room: rtc.Room,
        rpc: ClientRpc,
        *,
        may_answer: Callable[[rtc.RemoteParticipant], bool],
        sole: str | None,
        payload: Callable[[float], str],
        private: bool,
        seconds: float,
        method: str = METHOD,
        read: Callable[[str], Verdict] = read_approval,
    ) -> None:
        self.asked: set[str] = set()
        self._room = room
        self._rpc = rpc
        self._may_answer = may_answer
        self._sole = sole
        self._payload = payload
        self._private = private
        self._seconds = seconds
        self._method = method
        self._read = read
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._deadline = loop.time() + seconds
        self._verdict: asyncio.Future[Verdict] = loop.create_future()
        self._asking: dict[str, tuple[str, asyncio.Task[None]]] = {}
        """The sessions that are asked, by identity; those who abstained stay, with a task that has
        ended."""
        self._without_place: set[asyncio.Task[None] | None] = set()
        """Tasks that wait before they ask an app again that could not ask."""
        self._tasks = Tasks()
        self._limit = asyncio.timeout(None)
        self._absent_since: float | None = None
        self._is_first_look = True
        self._is_open = False
        self._why = "the participant is not in the room"

    async def verdict(self) -> Verdict:
        """Asks, and returns the verdict."""
        for event in _EVENTS:
            self._room.on(event, self._look)
        try:
            async with self._limit:
                self._is_open = True
                self._look()
                return await self._verdict
        except TimeoutError:
            return Verdict("unanswered", self._unanswered())
        finally:
            self._is_open = False
            for event in _EVENTS:
                self._room.off(event, self._look)
            await self._tasks.aclose()

    def _look(self, *_: object) -> None:
        """Asks everybody present who is not asked yet; stops asking those who have left."""
        if not self._is_open or self._limit.expired():
            return
        present = self._room.remote_participants
        for identity, (sid, task) in list(self._asking.items()):
            participant = present.get(identity)
            if participant is None:
                self._why = "the participant has left"
            if participant is None or participant.sid != sid or not self._may_answer(participant):
                task.cancel()
                del self._asking[identity]
        for participant in list(present.values()):
            if self._running >= MAX_PEOPLE:
                break
            is_ready = participant.state == rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
            if (
                is_ready
                and participant.identity not in self._asking
                and self._may_answer(participant)
            ):
                self._begin(participant)
        self._is_first_look = False
        self._limit.reschedule(self._until())

    @property
    def _running(self) -> int:
        tasks = [task for _, task in self._asking.values()]
        return sum(not task.done() and task not in self._without_place for task in tasks)

    def _until(self) -> float:
        """The time after which nobody is waited for, as things stand."""
        until = self._deadline + (ON_THE_WAY if self._running else 0)
        if self._sole is None or self._sole in self._room.remote_participants:
            self._absent_since = None
            return until
        if self._absent_since is None:
            self._absent_since = self._now()
        return min(until, self._absent_since + ABSENT_FOR)

    def _begin(self, participant: rtc.RemoteParticipant) -> None:
        asking = self._ask(participant, is_new=not self._is_first_look)
        task = self._tasks.start(asking, name="ask for approval")
        self._asking[participant.identity] = (participant.sid, task)
        task.add_done_callback(self._look)

    async def _ask(self, participant: rtc.RemoteParticipant, *, is_new: bool) -> None:
        identity = participant.identity
        self._why = ""
        if self._private and not await self._rpc.is_private(identity):
            self._abstain("the participant's app cannot be asked privately")
            return
        self.asked.add(identity)
        pause = FIRST_PAUSE
        while (left := self._deadline - self._now()) > 0:
            try:
                answer = await self._rpc.call(
                    identity, self._method, self._payload(round(left, 1)), seconds=left
                )
            except NoSuchMethodError:
                # A client that has just come may register its methods in a moment.
                if self._sole is not None and not is_new:
                    self._abstain(self._cannot())
                    return
                await self._pause_without_place(pause)
            except NoAnswerError:
                self._why = ""
                await asyncio.sleep(pause)
            except AppError as error:
                self._abstain(f"the participant's app: {str(error)[:MAX_REASON]}")
                return
            except ClientCallError as error:
                self._why = f"the participant {error}"
                await asyncio.sleep(pause)
            else:
                self._judge(participant, answer)
                return
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _pause_without_place(self, seconds: float) -> None:
        """Waits until it is time to ask an app again, and a place is free; others are asked."""
        task = asyncio.current_task()
        self._without_place.add(task)
        try:
            self._look()
            while True:
                await asyncio.sleep(seconds)
                if self._running < MAX_PEOPLE:
                    return
        finally:
            self._without_place.discard(task)

    def _judge(self, participant: rtc.RemoteParticipant, text: str) -> None:
        try:
            verdict = self._read(text)
        except ValueError:
            logger.warning("client sent an unreadable answer to %s", self._method)
            self._abstain("the participant's app gave no answer that can be read")
            return
        if not self._may_answer(participant) or self._verdict.done():
            return
        if verdict.outcome == "refused":
            who = "the participant" if self._sole else "an approver"
            reason = f": {verdict.reason}" if verdict.reason else ""
            verdict = replace(verdict, reason=f"{who} said no{reason}")
        self._verdict.set_result(replace(verdict, by=participant.identity))

    def _abstain(self, why: str) -> None:
        """Somebody cannot decide: if nobody else may, the call is not approved."""
        if self._sole is not None and not self._verdict.done():
            self._verdict.set_result(Verdict("unanswered", why))

    def _cannot(self) -> str:
        what = "cannot ask for approval" if self._method == METHOD else f"has no {self._method}"
        return f"the participant's app {what}"

    def _unanswered(self) -> str:
        if self._sole is not None:
            return self._why or f"the participant did not answer within {self._seconds:g} s"
        what = "decided" if self.asked else "was in the room"
        return f"nobody who may approve it {what} within {self._seconds:g} s"
