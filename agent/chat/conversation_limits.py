"""ConversationLimits: the bounds of one conversation."""

from __future__ import annotations

from dataclasses import dataclass

from agent.chat.context import ContextLimits
from agent.config.settings import Settings


@dataclass(frozen=True, slots=True)
class ConversationLimits:
    """Bounds of one conversation.

    Attributes:
        pending: messages that one person may have waiting.
        context: limits of the model's context.
        answer_timeout: seconds that one answer may take, with its tool calls; 0: no limit.
    """

    pending: int
    context: ContextLimits
    answer_timeout: float

    @classmethod
    def of(cls, settings: Settings) -> ConversationLimits:
        return cls(
            pending=settings.max_pending_messages,
            context=ContextLimits(settings.max_context_messages, settings.max_context_tokens),
            answer_timeout=settings.answer_timeout,
        )
