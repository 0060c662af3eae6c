"""AnswerRecord: an answer's statistics, without its text: for the log and the metrics."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from agent.contract.finish_reason import FinishReason
from agent.models.usage import Usage
from agent.telemetry import metrics
from agent.telemetry.dev_log import ANSWERED

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """Attributes:
    thread: in which it was given: `room`, or `private:` and an identity.
    segment_id: of the answer.
    message_id: of the question.
    asker: identity of the one who asked.
    model: the name that the service knows it by.
    first_text: seconds from the beginning of the answer to its first text; None: it had none.
    seconds: from its beginning to its end, when everything was out.
    tools: names of the tools that the model called, in order.
    usage: tokens of all requests of the answer.
    text: what was said.
    """

    thread: str
    segment_id: str
    message_id: str
    asker: str
    finish_reason: FinishReason
    model: str
    first_text: float | None
    seconds: float
    tools: tuple[str, ...]
    usage: Usage
    text: str = field(default="", repr=False)

    def note(self) -> None:
        """Counts the answer, and logs it on one line."""
        metrics.ANSWERS.add(self.finish_reason)
        metrics.ANSWER_SECONDS.observe(self.seconds)
        if self.first_text is not None:
            metrics.FIRST_TOKEN.observe(self.first_text)
        if not logger.isEnabledFor(logging.INFO):
            return
        extra: dict[str, object] = {
            "message_id": self.message_id,
            "segment_id": self.segment_id,
            "asker": self.asker,
            "finish_reason": self.finish_reason,
            "model": self.model,
            "tools": list(self.tools),
            "first_token_s": None if self.first_text is None else round(self.first_text, 3),
            "seconds": round(self.seconds, 3),
            "tokens_in": self.usage.input,
            "tokens_out": self.usage.output,
        }
        logger.info(ANSWERED, extra=extra)
