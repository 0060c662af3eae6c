"""LateJoiners: replays answers to participants who join in the middle."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from livekit import rtc

from agent.inbox.people import ANNOUNCED_WITHIN
from agent.replies.reply_stream import ReplyStream
from agent.replies.server_clock import ServerClock, joined_at
from agent.tasks import Tasks

GATHERING = 0.1
"""Seconds in which those who are announced one after the other get one stream for all of them."""

MAX_COPIES = 4
"""Copies of one answer at a time. The SDK addresses only the header of a stream, so each copy costs
everybody as much bandwidth as the answer. Participants who join beyond this number get one common
copy when the answer has ended."""

MAX_KEPT = 64
"""Answers that are kept for those who joined before they ended and are not announced yet."""


@dataclass(slots=True, eq=False)
class _Answer:
    reply: ReplyStream
    left: set[str] = field(default_factory=set[str])
    waiting: dict[str, None] = field(default_factory=dict[str, None])
    serving: asyncio.Task[None] | None = None


class LateJoiners:
    """Replays answers to participants who joined in the middle, in streams of their own: the text
    so far, then the rest. A private answer begins again if its asker comes back in the middle of
    it.

    livekit-server announces a participant without tracks up to 3 s late (room.go,
    subscriberUpdateInterval), so answers are kept a little beyond their end. A participant's time
    of joining tells whether they have an answer from its beginning; in doubt it is replayed.
    """

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock
        self._answers: deque[_Answer] = deque(maxlen=MAX_KEPT)
        self._tasks = Tasks()

    def watch(self, reply: ReplyStream) -> None:
        """Registers an answer when it is opened."""
        self._forget()
        self._answers.append(_Answer(reply))

    def joined(self, participant: rtc.RemoteParticipant) -> None:
        """Call it when a participant is ready for data (`participant_active`)."""
        if participant.kind != rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD:
            return
        self._forget()
        for answer in self._answers:
            if not self._missed(answer, participant):
                continue
            if answer.reply.private:
                answer.reply.begin_again()
            else:
                answer.waiting[participant.identity] = None
                self._serve(answer)

    def left(self, identity: str) -> None:
        """Call it when a participant has left."""
        for answer in self._answers:
            if answer.reply.ended_at is None:
                answer.left.add(identity)
            answer.waiting.pop(identity, None)
            answer.reply.forget_listener(identity)

    async def aclose(self) -> None:
        """Cancels replays."""
        await self._tasks.aclose()

    def _missed(self, answer: _Answer, participant: rtc.RemoteParticipant) -> bool:
        """Whether somebody joined between the beginning and the end of an answer."""
        reply = answer.reply
        is_asker = participant.identity == reply.asker
        if reply.began_at is None or (reply.private and (not is_asker or reply.ended_at)):
            return False
        if reply.is_addressed_to_others(participant.identity):
            return True
        joined = joined_at(participant)
        if joined is None or participant.identity in answer.left:
            return True
        if is_asker and joined < self._clock.latest(reply.opened_at):
            return False  # They were there to ask, however late they are announced.
        if reply.ended_at is not None and joined > self._clock.latest(reply.ended_at):
            return False
        return joined > self._clock.earliest(reply.began_at)

    def _forget(self) -> None:
        too_old = asyncio.get_running_loop().time() - ANNOUNCED_WITHIN
        while self._answers:
            ended = self._answers[0].reply.ended_at
            if ended is None or ended > too_old:
                return
            self._answers.popleft()

    def _serve(self, answer: _Answer) -> None:
        if answer.serving is None or answer.serving.done():
            answer.serving = self._tasks.start(self._send(answer), name="answer for late joiners")

    async def _send(self, answer: _Answer) -> None:
        while answer.waiting:
            await asyncio.sleep(GATHERING)
            if answer.reply.copies >= MAX_COPIES:
                await answer.reply.ended.wait()
            listeners = list(answer.waiting)
            answer.waiting.clear()
            if listeners:
                await answer.reply.repeat(listeners)
