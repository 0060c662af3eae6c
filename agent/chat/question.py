"""Question: what is to be answered, and turns of former times, as the history has them."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace

from agent.history.message import Added, Message, Unanswered
from agent.inbox.message import Form, IncomingMessage, Sender
from agent.replies.reply_output import Ending


@dataclass(frozen=True, slots=True)
class Question:
    """A message that is to be answered, or something that the agent is to say unasked.

    Attributes:
        segment_id: id of its answer.
        kept: says, once the message is stored, whether it is new, and its position; None: it is
            from the store.
        own_text: what the agent says unasked; None: the model finds it, by the message as an
            instruction.
    """

    message: IncomingMessage
    segment_id: str
    kept: asyncio.Task[Added] | None = None
    own_text: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """A message that was opened for another answer.

    Attributes:
        answered: it had an answer before, whose segment id the question has.
    """

    question: Question
    answered: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of former times, with what it was answered, if anything.

    One that is to be answered anew stands in its place without an answer.
    """

    message: IncomingMessage
    answer: str = ""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer in the history that has ended.

    Attributes:
        message: what it answers.
    """

    message: IncomingMessage
    segment_id: str
    ending: Ending


@dataclass(frozen=True, slots=True)
class Past:
    """What a conversation was about.

    Attributes:
        turns: the last ones, oldest first.
        is_whole: whether these are all there are.
        summary: of what was said before, and perhaps of some turns; may be empty.
        questions: what was left unanswered.
        agent: name of the agent of the app that answered last, where there were several.
        untold: what was answered, but perhaps not told to the end.
    """

    turns: tuple[Turn, ...] = ()
    is_whole: bool = True
    summary: str = ""
    questions: tuple[Question, ...] = ()
    agent: str | None = None
    untold: tuple[StoredAnswer, ...] = ()


def new_segment_id() -> str:
    """An id for an answer."""
    return f"SG_{uuid.uuid4().hex[:16]}"


def question_of(unanswered: Unanswered) -> Question:
    """What waits in the history for its answer."""
    return Question(incoming(unanswered.message), unanswered.segment_id or new_segment_id())


def turn_of(message: Message, answer: Message | None) -> Turn:
    """A message with its answer, or what the agent said unasked."""
    if message.role == "assistant":
        own = replace(incoming(message), text="")
        return Turn(own, "" if message.finish_reason == "error" else message.text)
    if answer is None or answer.finish_reason == "error" or message.awaits_answer:
        return Turn(incoming(message))
    return Turn(incoming(message), answer.text)


def incoming(message: Message) -> IncomingMessage:
    """A stored message as it came in once."""
    return IncomingMessage(
        id=message.id,
        sender=Sender(message.sender_id, message.sender_name),
        text=message.text,
        timestamp=message.timestamp,
        form=Form.OWN if message.role == "assistant" else Form(message.form),
        private=message.thread.owner is not None,
        reply_to=message.in_reply_to,
        attachments=message.attachments,
        position=message.position,
    )
