"""A message in the model's context: its text, and a line for each file that came with it.

The files themselves are put in when the model is asked, as far as they fit (agent.files): a context
that had them in it would carry them along for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from livekit.agents import llm

from agent.history.message import Attachment

_KEY: Final = "attachments"


def user_message(text: str, attachments: Sequence[Attachment]) -> llm.ChatMessage:
    """A message as it stands in the context."""
    lines = [text] if text else []
    lines += [f"[File: {summary(each)}]" for each in attachments]
    extra = {_KEY: tuple(attachments)} if attachments else {}
    return llm.ChatMessage(role="user", content=["\n".join(lines)], extra=extra)


def attachments_of(message: llm.ChatMessage) -> tuple[Attachment, ...]:
    """The files of a message in a context."""
    return cast("tuple[Attachment, ...]", message.extra.get(_KEY, ()))


def summary(attachment: Attachment) -> str:
    """What a file is, on one line."""
    return f"{attachment.name} ({attachment.type}, {attachment.size} bytes)"
