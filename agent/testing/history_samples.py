"""Messages of people and of the agent, for tests of a History."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from agent.contract.finish_reason import FinishReason
from agent.history.message import Attachment, Message, ThreadKey

if TYPE_CHECKING:
    from agent.history.history import History

ROOM: Final = ThreadKey("kitchen")
PRIVATE: Final = ThreadKey("kitchen", "ann")

NewHistory: TypeAlias = "Callable[[], History]"
"""Makes another history on the same data, as another worker has it; closed at the end."""


def asked(
    message_id: str, text: str = "Why?", *, sender: str = "ann", thread: ThreadKey = ROOM
) -> Message:
    """A participant's message that awaits an answer."""
    return Message(
        thread=thread,
        sender_id=sender,
        id=message_id,
        role="user",
        text=text,
        timestamp=1_700_000_000_123,
        sender_name=sender.title()[:256],
        form="stream",
        awaits_answer=True,
    )


def answer_to(question: Message, segment_id: str | None = None) -> Message:
    """An answer that is about to begin."""
    return Message(
        thread=question.thread,
        sender_id="agent",
        id=segment_id or f"SG_{question.id}"[:256],
        role="assistant",
        text="",
        timestamp=1_700_000_001_456,
        sender_name="Agent",
        in_reply_to=question.id,
        in_reply_to_sender=question.sender_id,
    )


def ended(answer: Message, text: str = "Because.", reason: FinishReason = "stop") -> Message:
    return replace(answer, text=text, finish_reason=reason)


async def take_turn(history: History, question: Message, text: str = "Because.") -> Message:
    """A question with its answer; returns the answer."""
    await history.add_message(question)
    answer = await history.begin_answer(answer_to(question))
    finished = ended(answer, text)
    await history.finish_answer(finished)
    return finished


async def everything(
    history: History, thread: ThreadKey = ROOM, asker: str = "ann"
) -> list[Message]:
    """All messages of a thread, read page by page."""
    found: list[Message] = []
    before = None
    while True:
        page = await history.page(thread, asker=asker, before=before, limit=7)
        found[:0] = page.messages
        before = page.next_before
        if before is None:
            return found


def unasked(segment_id: str = "SG_own") -> Message:
    """Something that the agent is about to say by itself."""
    return Message(
        thread=ROOM,
        sender_id="agent",
        id=segment_id,
        role="assistant",
        text="",
        timestamp=1_700_000_002_000,
        sender_name="Agent",
    )


def file(number: int) -> Attachment:
    return Attachment(f"file_{number}", f"{number}.txt", "text/plain", 2**40, f"{number:064x}")


async def positions(history: History) -> dict[str, int]:
    """The position of each message, by its id."""
    found = {each.id: each.position for each in await everything(history)}
    return {name: position for name, position in found.items() if position is not None}
