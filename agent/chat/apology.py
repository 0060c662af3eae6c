"""Failed answers: the sentence for the asker, and the log line."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agent.chat.error_text import sentence_for, timeout_sentence
from agent.models.openai_errors import describe, status_of

if TYPE_CHECKING:
    from agent.replies.reply_stream import ReplyStream
    from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)


def give_up(reply: ReplyStream, timeout: float) -> None:
    """The answer took longer than so many seconds."""
    logger.warning(
        "answer took longer than %g s; its asker gets an error message, the next message is "
        "answered",
        timeout,
    )
    _append(reply, timeout_sentence(said=reply.started))


def refuse(reply: ReplyStream, refusal: Refusal) -> None:
    """No answer is given, since a limit was reached after the message was accepted."""
    _append(reply, refusal.sentence)


def log_failure(error: BaseException | None, *, withheld: bool) -> None:
    """Logs that the model gave no answer, or none that is whole."""
    problem = "its content filter withheld the answer" if withheld else "it gave no answer"
    logger.warning(
        "model service failed; the asker gets an error message: %s",
        describe(error) if error is not None else problem,
        extra={"status": status_of(error)},
    )


def apologise(reply: ReplyStream, error: BaseException | None, *, withheld: bool = False) -> None:
    """Says what went wrong, in one sentence."""
    _append(reply, sentence_for(error, said=reply.started, withheld=withheld))


def _append(reply: ReplyStream, sentence: str) -> None:
    """Adds a sentence of the agent's own to the model's text."""
    reply.push(("\n\n" if reply.started else "") + sentence)
