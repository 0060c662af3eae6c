"""Parts that an answer shows for its tools' effects: files and handoffs."""

from __future__ import annotations

from collections.abc import Callable

from agent.chat.active_persona import ActivePersona
from agent.history.message import Attachment
from agent.parts.file_part import show_file
from agent.parts.handoff_part import show_handoff
from agent.replies.reply_stream import ReplyStream
from toolkit.handoff import HandOff, Handoff


def files_of(attachments: list[Attachment], reply: ReplyStream) -> Callable[[Attachment], None]:
    """Takes the files that become part of an answer."""

    def take(file: Attachment) -> None:
        attachments.append(file)
        show_file(reply.parts, file)

    return take


def handoffs_of(persona: ActivePersona, reply: ReplyStream) -> HandOff | None:
    """Hands the conversation to another agent; None where the app has but one."""
    if not persona.has_others:
        return None

    def hand_off(handoff: Handoff) -> str:
        former = persona.name
        told = persona.hand_off(handoff)
        show_handoff(reply.parts, former, persona.name)
        return told

    return hand_off
