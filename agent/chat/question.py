"""Question: a message to answer, and earlier turns as the history stores them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from agent.chat.responder import Response
from agent.history.message import Added, Message, ThreadKey, Unanswered
from agent.inbox.message import Form, IncomingMessage, Sender
from agent.replies.reply_output import Ending
from toolkit.parts import ShownPart


@dataclass(frozen=True, slots=True)
class Question:
    """A message to answer, or an unasked answer to give.

    Attributes:
        segment_id: id of its answer.
        kept: resolves, once the message is stored, to whether it is new and its position; None: the
            question came from the store.
        own_text: the text of an unasked answer; None: the model writes it, with the message as its
            instruction.
        parts: that an unasked answer shows besides its own.
        begun: takes over an answer that the agent's session has begun by itself; None for other
            questions.
    """

    message: IncomingMessage
    segment_id: str
    kept: asyncio.Task[Added] | None = None
    own_text: str | None = None
    parts: tuple[ShownPart, ...] = ()
    begun: Callable[[], Awaitable[Response]] | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """A message that is to be answered again.

    Attributes:
        answered: it had an answer before, whose segment id the question has.
    """

    question: Question
    answered: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """A stored message with its answer, if it has one.

    One that waits for a new answer keeps its place, without an answer.
    """

    message: IncomingMessage
    answer: str = ""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer in the history that has ended.

    Attributes:
        message: the message that it answers.
    """

    message: IncomingMessage
    segment_id: str
    ending: Ending


@dataclass(frozen=True, slots=True)
class Past:
    """The stored history of a conversation.

    Attributes:
        turns: the last turns, oldest first.
        is_whole: whether these are all there are.
        summary: of everything before them, and perhaps of some of them; may be empty.
        questions: questions without an answer.
        agent: name of the agent of the app that answered last, if there were several.
        untold: answers that may not have been sent to the end.
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


def own_message(thread: ThreadKey, agent: str) -> IncomingMessage:
    """Stands for what the agent of this identity begins to say in a thread by itself."""
    return IncomingMessage(
        id=new_segment_id(),
        sender=Sender(thread.owner or agent, ""),
        text="",
        timestamp=int(time.time() * 1000),
        form=Form.OWN,
        private=thread.owner is not None,
    )


def question_of(unanswered: Unanswered) -> Question:
    """The stored questions without an answer."""
    return Question(incoming(unanswered.message), unanswered.segment_id or new_segment_id())


def turn_of(message: Message, answer: Message | None) -> Turn:
    """A message with its answer, or an unasked answer."""
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
        generation=message.generation,
    )
