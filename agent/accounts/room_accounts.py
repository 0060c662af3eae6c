"""RoomAccounts: usage and events of one room."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict, deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from agent.accounts.event import now
from agent.accounts.usage_tally import UsageTally
from agent.config.webhook_settings import EventType
from agent.history.accounts import UsageCounts
from agent.history.errors import HistoryError
from agent.history.history import MAX_PAGE
from agent.history.message import ThreadKey

if TYPE_CHECKING:
    from agent.accounts.accounts import Accounts
    from agent.chat.answer_record import AnswerRecord
    from agent.history.history import History
    from agent.history.message import Feedback, Message, MessageKey
    from agent.inbox.message import IncomingMessage

logger = logging.getLogger(__name__)

_ROOM: Final = "room"
"""The thread in which people speak."""
MAX_SESSIONS: Final = 20
"""Reports of sessions in the report of a conversation: the last ones."""
MAX_STAYS: Final = 1_000
"""Conversations in memory; beyond them, the private conversation that has been idle longest is
reported as ended, without its transcript."""
_OF_SPEECH: Final = frozenset({"heardMs", "spokenMs"})
READING_TAKES: Final = 5.0
"""Seconds for the transcripts of the conversations that end; then they are reported without."""


@dataclass
class _Stay:
    """A conversation from its first message to its end, in one stay of the agent's."""

    started_at: int
    messages: int = 0
    answers: Counter[str] = field(default_factory=Counter[str])
    tools: Counter[str] = field(default_factory=Counter[str])
    usage: UsageTally = field(default_factory=UsageTally)
    feedback: dict[tuple[str, str], Feedback] = field(
        default_factory=dict[tuple[str, str], "Feedback"]
    )
    """By message and identity."""
    sessions: deque[dict[str, Any]] = field(
        default_factory=lambda: deque[dict[str, Any]](maxlen=MAX_SESSIONS)
    )


class RoomAccounts:
    """Counts usage by participant, and reports conversations, messages, answers and tools."""

    def __init__(
        self,
        accounts: Accounts,
        history: History,
        room: str,
        *,
        kept_as: str,
        agent: str,
        tenant: str,
    ) -> None:
        """
        Args:
            kept_as: the name under which the history has the room's threads.
            agent: the agent's identity.
            tenant: whose room it is, as its metadata says; may be empty.
        """
        self._accounts = accounts
        self._history = history
        self._room = room
        self._kept_as = kept_as
        self._agent = agent
        self._tenant = tenant
        self._stays: OrderedDict[str, _Stay] = OrderedDict()
        """Ordered by last activity, newest last."""
        self._besides = UsageTally()
        self._unclaimed: Counter[str] = Counter()

    def message(self, message: IncomingMessage) -> None:
        """Counts a message that somebody wrote or spoke."""
        thread = ThreadKey(self._room, message.sender.identity if message.private else None).id
        self._stay(thread).messages += 1
        if self._accounts.wants("message.received"):
            self._tell(
                "message.received",
                thread,
                messageId=message.id,
                senderId=message.sender.identity,
                text=message.text,
                form=message.form.value,
            )

    def answer(self, record: AnswerRecord) -> None:
        """An answer has ended."""
        if record.thread == _ROOM:
            self._claim_speech(record.asker)
        usage = record.usage
        counts = UsageCounts(
            1,
            usage.requests,
            usage.input,
            usage.cached,
            usage.output,
            usage.reasoning,
            len(record.tools),
        )
        self._accounts.count(
            tenant=self._tenant,
            room=self._room,
            identity=record.asker,
            model=record.model,
            counts=counts,
        )
        stay = self._stay(record.thread)
        stay.answers[record.finish_reason] += 1
        stay.tools.update(record.tools)
        stay.usage.add(record.asker, record.model, counts)
        if self._accounts.wants("answer.finished"):
            self._tell(
                "answer.finished",
                record.thread,
                segmentId=record.segment_id,
                inReplyTo=record.message_id,
                askerId=record.asker,
                text=record.text,
                finishReason=record.finish_reason,
                tools=list(record.tools),
                firstTextSeconds=record.first_text,
                seconds=record.seconds,
                usage={
                    name: value
                    for name, value in _usage(record.model, counts).items()
                    if name not in _OF_SPEECH
                },
            )

    def heard(self, identity: str, model: str, seconds: float) -> None:
        """Sound of somebody's microphone was recognised."""
        self._count(identity, model, UsageCounts(heard_ms=round(seconds * 1000)))

    def spoken(self, model: str, seconds: float) -> None:
        """Sound was made, for the asker of the next answer that ends."""
        self._unclaimed[model] += round(seconds * 1000)

    def asked(self, identity: str, model: str, tokens_in: int, tokens_out: int) -> None:
        """A model was asked beside the answers: for a summary, whose identity is empty, or for a
        tool's caller."""
        counts = UsageCounts(requests=1, input_tokens=tokens_in, output_tokens=tokens_out)
        self._count(identity, model, counts)

    def _claim_speech(self, identity: str) -> None:
        """Counts what was spoken since the last answer."""
        unclaimed, self._unclaimed = self._unclaimed, Counter()
        for model, spoken in unclaimed.items():
            self._count(identity, model, UsageCounts(spoken_ms=spoken))

    def _count(self, identity: str, model: str, counts: UsageCounts) -> None:
        """Counts what is used beside the answers."""
        self._accounts.count(
            tenant=self._tenant, room=self._room, identity=identity, model=model, counts=counts
        )
        self._besides.add(identity, model, counts)

    def tool(self, name: str, caller: str, code: str, seconds: float, *, by_model: bool) -> None:
        """A tool call has ended; `code`: `ok`, `cancelled`, or that of an error."""
        if self._accounts.wants("tool.finished"):
            self._accounts.tell(
                "tool.finished",
                {
                    **self._where(None),
                    "tool": name,
                    "callerId": caller,
                    "by": "model" if by_model else "rpc",
                    "outcome": code,
                    "seconds": round(seconds, 3),
                },
            )

    def feedback(self, message: MessageKey, feedback: Feedback) -> None:
        """Reports feedback on a message."""
        if (stay := self._stays.get(message.thread.id)) is not None:
            stay.feedback[message.id, feedback.identity] = feedback
            while len(stay.feedback) > MAX_PAGE:
                del stay.feedback[next(iter(stay.feedback))]
        if self._accounts.wants("feedback.given"):
            self._tell(
                "feedback.given",
                message.thread.id,
                messageId=message.id,
                identity=feedback.identity,
                value=feedback.value,
                comment=feedback.comment,
            )

    def forget(self, identity: str | None) -> None:
        """Somebody's opinions are not reported; None: nobody's."""
        for stay in self._stays.values():
            for key in [each for each in stay.feedback if identity in {None, each[1]}]:
                del stay.feedback[key]

    def session(self, thread: str, report: dict[str, Any]) -> None:
        """A livekit Agent's session has ended."""
        if (stay := self._stays.get(thread)) is not None:
            stay.sessions.append(report)

    async def aclose(self) -> None:
        """All conversations have ended."""
        self._claim_speech("")
        stays, self._stays = self._stays, OrderedDict()
        # Of all together: what is closed after this must have its time, too.
        until = asyncio.get_running_loop().time() + READING_TAKES
        for thread, stay in stays.items():
            if self._accounts.wants("conversation.ended"):
                self._report(thread, stay, *await self._past(thread, stay, until))

    def _stay(self, thread: str) -> _Stay:
        stay = self._stays.get(thread)
        if stay is None:
            if len(self._stays) >= MAX_STAYS:
                oldest = next(each for each in self._stays if each != _ROOM)
                self._report(oldest, self._stays.pop(oldest))
            stay = self._stays[thread] = _Stay(now())
            if self._accounts.wants("conversation.started"):
                self._tell("conversation.started", thread)
        self._stays.move_to_end(thread)
        return stay

    def _report(
        self,
        thread: str,
        stay: _Stay,
        transcript: list[dict[str, Any]] | None = None,
        summary: str | None = None,
    ) -> None:
        if not self._accounts.wants("conversation.ended"):
            return
        reported = {each["id"] for each in transcript or ()}
        if thread == _ROOM:
            stay.usage.merge(self._besides)
        self._tell(
            "conversation.ended",
            thread,
            startedAt=stay.started_at,
            endedAt=now(),
            messages=stay.messages,
            answers=dict(stay.answers),
            tools=dict(stay.tools),
            usage=[
                {"identity": identity, **_usage(model, counts)}
                for identity, model, counts in stay.usage.rows()
            ],
            feedback=[
                {
                    "messageId": message_id,
                    "identity": each.identity,
                    "value": each.value,
                    "comment": each.comment,
                }
                for (message_id, _), each in stay.feedback.items()
                if message_id in reported
            ],
            sessions=list(stay.sessions),
            summary=summary,
            transcript=transcript,
            transcriptIsWhole=transcript is not None and len(transcript) < MAX_PAGE,
        )

    async def _past(
        self, thread_id: str, stay: _Stay, until: float
    ) -> tuple[list[dict[str, Any]] | None, str | None]:
        """The messages of the stay, oldest first, and the summary; None if unavailable.

        `until`: when the reading is given up, by the loop's clock.
        """
        thread = ThreadKey.from_id(self._kept_as, thread_id)
        asker = thread.owner or self._agent
        try:
            async with asyncio.timeout_at(until):
                page = await self._history.page(thread, asker=asker, limit=MAX_PAGE)
                threads = await self._history.threads(self._kept_as, asker=asker)
        except (HistoryError, TimeoutError) as error:
            logger.warning("conversation reported without its transcript: %s", error)
            return None, None
        summaries = [each.summary for each in threads if each.key == thread]
        summary = summaries[0].text if summaries and summaries[0] is not None else None
        return _since(page.messages, stay.messages), summary

    def _tell(self, kind: EventType, thread: str, **fields: object) -> None:
        self._accounts.tell(kind, {**self._where(thread), **fields})

    def _where(self, thread: str | None) -> dict[str, object]:
        return {"room": self._room, "thread": thread, "tenant": self._tenant or None}


def _since(messages: tuple[Message, ...], count: int) -> list[dict[str, Any]]:
    """The latest messages of participants, and the answers among and after them."""
    first = len(messages)
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].role == "user":
            if count == 0:
                break
            count -= 1
        first = place
    return [
        {
            "id": each.id,
            "role": each.role,
            "senderId": each.sender_id,
            "text": each.text,
            "timestamp": each.timestamp,
            "position": each.position,
            "inReplyTo": each.in_reply_to,
            "finishReason": each.finish_reason,
        }
        for each in messages[first:]
    ]


def _usage(model: str, counts: UsageCounts) -> dict[str, object]:
    words = {"model": model, **asdict(counts)}
    return {_camel(name): value for name, value in words.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(each.capitalize() for each in rest)
